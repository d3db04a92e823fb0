// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "tools/bench/kernels/model_shape.hpp"

#include <cstdint>
#include <vector>

namespace sluice::bench {

/// The matrices of one transformer layer in device memory, with random weights,
/// as often as it takes that no cache holds them.
class layer_weights_on_gpu {
public:
  layer_weights_on_gpu(const model_shape& shape, dtype type,
                       std::uint64_t least_bytes, cuda::stream& in);

  struct layer {
    cuda::device_weight qkv, o, gate_up, down;
  };
  const layer& next() { return layers_[used_++ % layers_.size()]; }

  /// Of one layer.
  double bytes() const { return bytes_; }
  double elements() const { return elements_; }
  dtype operand() const { return cuda::operand_type(layers_.front().qkv.form); }

private:
  std::vector<cuda::device_memory> memory_;
  std::vector<layer> layers_;
  std::size_t used_ = 0;
  double bytes_ = 0;
  double elements_ = 0;
};

/// Activations of the widest matrices for some rows.
struct layer_activations {
  layer_activations(const model_shape& shape, std::int64_t rows, dtype operand,
                    cuda::stream& in);

  cuda::operand hidden, attended, gated;
  cuda::device_rows qkv, update, gate_up;
  cuda::device_memory memory;
  cuda::device_memory workspace;
};

/// Calls matmul for all matrices of a layer.
void multiply_layer(const layer_weights_on_gpu::layer& weights,
                    const layer_activations& data, cuda::determinism mode,
                    cuda::stream& in);

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "memory/kv_layout.hpp"
#include "tools/bench/kernels/model_shape.hpp"

#include <cstdint>

namespace sluice::bench {

/// A step's attention on a GPU: some sequences of one length, each with rows at
/// its end.
class attention_on_gpu {
public:
  struct size {
    std::int64_t sequences = 1;
    std::int64_t context = 1024;
    std::int64_t rows_each = 1; // context: the whole prompt
  };
  attention_on_gpu(const model_shape& shape, dtype cache_type, const size& what,
                   cuda::stream& in);

  void run(cuda::stream& in) const;

  /// K and V that one run must read at least, once each.
  double bytes() const;
  /// Products of queries with keys and of weights with values, causal.
  double operations() const;

private:
  model_shape shape_;
  size size_;
  kv_shape cache_shape_;
  cuda::device_memory cache_;
  cuda::device_memory data_; // q, out, tables, positions
  cuda::device_memory workspace_;
  cuda::attention_args args_;
};

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/cuda/cuda_cache.hpp"
#include "model/cuda/cuda_scratch.hpp"
#include "model/cuda/cuda_step.hpp"
#include "model/cuda/cuda_weights.hpp"

namespace sluice {

/// The forward pass of a decoder-only transformer on a GPU, as `transformer`.
/// It only puts kernels into a stream, so that a graph can record it.
class cuda_transformer {
public:
  cuda_transformer(const architecture& arch, cuda_weights weights,
                   cuda::determinism mode);

  /// Runs all layers: stores K and V of every position and leaves the final
  /// hidden states of the wanted ones in `scratch`.
  void forward(const cuda_step& step, const cuda_cache& cache,
               cuda_scratch& scratch, cuda::stream& in) const;

  /// Logits of wanted positions `first` .. `first + count - 1` of the forward
  /// pass before.
  /// @return [count, vocab], in `scratch`.
  cuda::device_rows logits(std::int64_t first, std::int64_t count,
                           cuda_scratch& scratch, cuda::stream& in) const;

  const cuda_weights& weights() const noexcept { return weights_; }

private:
  struct layer_pass;

  void begin(const cuda_step& step, cuda_scratch& scratch,
             cuda::stream& in) const;
  void attend(const layer_pass& pass) const;
  void feed_forward(const layer_pass& pass) const;
  void add_and_norm(const layer_pass& pass, const float* weight,
                    dtype operand) const;
  void finish(const layer_pass& pass) const;
  void multiply(const layer_pass& pass, const cuda::operand& x,
                std::initializer_list<cuda::device_projection> into) const;

  architecture arch_;
  cuda_weights weights_;
  cuda::determinism mode_;
};

} // namespace sluice

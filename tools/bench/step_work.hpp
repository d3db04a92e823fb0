// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/lane_options.hpp"
#include "model/loaded_model.hpp"
#include "tools/bench/gpu/gpu_limits.hpp"

namespace sluice::bench {

/// What the steps of a model must fetch from memory and compute at least: the
/// roofline that bench batch compares with.
class step_work {
public:
  step_work() = default;
  step_work(const loaded_model& model, const lane_options& lane);

  /// Seconds for the prompts of some sequences: each matrix read once (in steps
  /// of many tokens that is little), products, causal attention.
  double prompt_seconds(double sequences, double tokens,
                        const gpu_limits& limits) const;

  /// Seconds for `steps` steps, each one token for every sequence, from a
  /// context of `tokens` on: each step reads all matrices and the keys and
  /// values of all sequences.
  double decode_seconds(double sequences, double tokens, double steps,
                        const gpu_limits& limits) const;

private:
  double peak(const gpu_limits& limits) const;

  double matrix_bytes_ = 0;         // without the embedding
  double layer_elements_ = 0;       // of the matrices of all layers
  double head_elements_ = 0;        // of the output matrix
  double position_bytes_ = 0;       // of the KV cache, all layers
  double attention_operations_ = 0; // of one row and one key, all layers
  bool integer_ = false;            // int8 products
};

} // namespace sluice::bench

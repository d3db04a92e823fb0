// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "messages/lane_generated.h"
#include "model/lane_batch.hpp"
#include "model/transformer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluice {

/// One row of logits as the model gave it.
struct logits_row {
  std::uint64_t sequence = 0;
  std::uint32_t position = 0;    // of the token that went in
  std::span<const float> logits; // [vocab], valid during the call
};

using logits_observer = std::function<void(const logits_row&)>;

/// Where the answers of a plan's rows go.
using row_results = std::span<const std::unique_ptr<messages::RowResultT>>;

/// What a sampler works with during one step.
struct sampler_step {
  const transformer& model;
  transformer_scratch& scratch; // holds the hidden states of the step
  const lane_batch& batch;
  thread_pool& pool;
  const logits_observer& observer; // may be empty
};

/// Turns the hidden states of a step into tokens: logits and sampling, a slice
/// of positions at a time. A token depends on its logits, its sequence's
/// sampling and the tokens before it alone.
class sampler {
public:
  sampler(const op_table& ops, std::uint32_t vocab);

  /// Samples every position the batch asks for.
  /// @param results  indexed by batch_row::plan_row; receives tokens and
  ///                 log-probabilities, or numeric_failure for a row with a
  ///                 NaN, or invalid_argument if nothing may be chosen.
  void run(const sampler_step& step, row_results results);

private:
  struct outcome {
    sampled result;
    std::vector<token_logprob> top;
    std::string error; // a broken contract of the op
  };
  struct job { // positions of one row that are sampled one after the other
    const batch_row* row;
    std::uint32_t first; // index in the step's samples
    std::uint32_t count;
  };

  void plan_jobs(const lane_batch& batch, std::uint32_t first,
                 std::uint32_t count);
  void run_jobs(activations logits, std::uint32_t first, thread_pool& pool);
  void sample_one(const job& work, std::uint32_t index, std::span<float> logits,
                  std::span<std::byte> workspace, outcome& out) const;
  void collect(std::uint32_t first, row_results results) const;

  const op_table* ops_;
  std::uint32_t vocab_;
  std::vector<job> jobs_;                             // of one slice
  std::vector<outcome> outcomes_;                     // [slice]
  std::vector<std::vector<std::uint64_t>> workspace_; // [threads]
};

} // namespace sluice

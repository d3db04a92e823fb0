// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "kernels/thread_pool.hpp"
#include "model/lane_batch.hpp"
#include "model/logits_observer.hpp"
#include "model/position_outcome.hpp"
#include "model/step_answer.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sluice {

/// Where a sampler gets its logits, a slice of the step's wanted positions at a
/// time.
class logits_source {
public:
  virtual ~logits_source() = default;

  /// Positions that logits() can give at once.
  virtual std::uint32_t most_rows() const = 0;

  /// @return [count, vocab] of the wanted positions from `first` on, free to be
  ///         overwritten, valid until the next call.
  virtual activations logits(std::uint32_t first, std::uint32_t count) = 0;
};

/// What a sampler works with during one step.
struct sampler_step {
  logits_source& source;
  const lane_batch& batch;
  thread_pool& pool;
  const logits_observer& observer; // may be empty
};

/// Turns the hidden states of a step into tokens and scores: logits, then
/// sampling or scoring, a slice of positions at a time. A token depends on its
/// logits, its sequence's sampling and the tokens before it alone.
class sampler {
public:
  sampler(const op_table& ops, std::uint32_t vocab);

  /// Samples and scores every position the batch asks for.
  /// @param answer  has the plan's rows; receives tokens, log-probabilities
  ///                and scores, or numeric_failure for a row with a NaN,
  ///                or invalid_argument if nothing may be chosen; and the
  ///                times.
  void run(const sampler_step& step, step_answer& answer);

private:
  struct slice { // of the step's wanted positions
    std::uint32_t first;
    std::uint32_t count;
  };
  struct job { // positions of one row, one after the other
    const batch_row* row;
    slice part;
  };
  struct buffers {
    std::span<float> logits;
    std::span<std::uint64_t> workspace;
  };

  void reserve(std::size_t positions, int threads);
  void plan_jobs(const lane_batch& batch, slice part);
  void show(const activations& logits, std::uint32_t first,
            const logits_observer& observer) const;
  void run_jobs(const activations& logits, std::uint32_t first,
                thread_pool& pool);
  void run_one(const batch_row& row, std::uint32_t index, const buffers& memory,
               position_outcome& out) const noexcept;
  void sample_one(const batch_row& row, std::uint32_t index,
                  const buffers& memory, position_outcome& out) const;
  void collect(std::uint32_t first, step_answer& all) const;

  const op_table* ops_;
  std::uint32_t vocab_;
  std::vector<job> jobs_;                             // of one slice
  std::vector<position_outcome> outcomes_;            // [largest slice]
  std::vector<std::vector<std::uint64_t>> workspace_; // [threads]
};

} // namespace sluice

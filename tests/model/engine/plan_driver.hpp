// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_pages.hpp"
#include "model/engine.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sluice::test {

/// How a test sequence begins.
struct sequence_start {
  std::uint64_t key = 0;
  std::vector<std::uint32_t> prompt;
  messages::SamplingT sampling;
  std::uint64_t seed = 0;
  std::uint32_t index = 0;
  std::uint32_t top_scores = 0;
};

/// A run of given tokens.
struct given_row {
  std::uint64_t sequence = 0;
  std::uint32_t start = 0;
  std::vector<std::uint32_t> tokens;
  std::uint32_t sample_from = 0;
  std::uint32_t score_from = 0;
  std::vector<std::uint32_t> next_tokens = {};
};

/// Makes plans and the pages they need, and runs them: a batcher and a page
/// manager in a few lines.
class plan_driver {
public:
  plan_driver(engine& device, std::uint32_t lane);

  void join(const sequence_start& start);
  void leave(std::uint64_t key);

  /// Adds a row to the plan, after granting its pages.
  /// @return the index of the row.
  std::uint32_t add(const given_row& row);

  /// Adds a row whose token an earlier row sampled.
  std::uint32_t add_sampled(std::uint64_t sequence, std::uint32_t start,
                            std::uint64_t plan, std::uint32_t row);

  /// Runs the plan and begins the next one.
  messages::StepResultT run();

  /// The plan being made, to spoil it.
  messages::StepPlanT& plan() { return plan_; }

  const kv_pages& pages() const { return pages_; }

  /// What the engine's step of the last run() asked of the heap.
  std::size_t allocations() const { return allocations_; }

private:
  void grant(std::uint64_t sequence, std::uint32_t tokens);
  void begin_plan();

  engine& device_;
  std::uint32_t lane_;
  kv_pages pages_;
  messages::StepPlanT plan_;
  std::uint64_t number_ = 0;
  std::size_t allocations_ = 0;
};

/// Greedy sampling.
messages::SamplingT greedy();

/// What a sequence generated.
struct generation {
  std::vector<std::uint32_t> tokens;
  std::vector<float> logprobs; // beside tokens, if they were asked for
};

/// One sequence that runs alone: the prompt in one chunk, then one token a
/// step.
generation run_alone(plan_driver& driver, const sequence_start& start,
                     std::uint32_t generate);

} // namespace sluice::test

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "model/engine.hpp"
#include "tools/bench/measure.hpp"

namespace sluice::bench {

/// Times the engine itself: no actors, no sockets, plans made here.
class engine_bench {
public:
  /// Loads the model.
  /// @throws model_error, contract_violation.
  explicit engine_bench(const plan& what, const progress_fn& progress = {});

  machine facts() const;

  /// One prompt in one step; fewer tokens if the context is shorter.
  prompt_speed prompt(std::uint32_t tokens);

  /// Decode steps of a batch, after a short prompt each.
  decode_speed decode(std::uint32_t batch);

private:
  void add_sequence(messages::StepPlanT& plan, std::uint32_t index,
                    std::uint32_t tokens);
  void run(messages::StepPlanT plan);
  void forget(std::uint32_t count);
  static std::uint32_t pages_of(std::uint32_t tokens);

  plan what_;
  std::unique_ptr<engine> engine_;
  std::uint32_t lane_ = 0;
  std::uint32_t threads_ = 1;
  std::uint32_t decode_tokens_ = 0; // of a sequence in decode(), at most
  std::uint64_t next_plan_ = 1;
  std::vector<std::uint64_t> left_; // sequences to forget with the next plan
};

} // namespace sluice::bench

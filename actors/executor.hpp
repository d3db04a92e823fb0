// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <unordered_map>

#include "actors/interfaces.hpp"

namespace sluice {
class engine;
}

namespace sluice::actors {

/// One device behind frames: hands plans to the engine and results to the
/// batchers. Spawned detached, since a step keeps its thread busy.
class executor_state {
public:
  static constexpr const char* name = "executor";

  explicit executor_state(executor_actor::pointer self);

  void configure(std::shared_ptr<sluice::engine> device);

  void bind(std::uint32_t lane, batcher_actor batcher);
  void run(frame<messages::StepPlan> plan);
  void attach(frame<messages::Attach> state);

private:
  frame<messages::StepResult> step(const messages::StepPlan& plan);

  executor_actor::pointer self_;
  std::shared_ptr<sluice::engine> device_;
  std::unordered_map<std::uint32_t, batcher_actor> batchers_;
  bool pinned_ = false;
};

executor_actor::behavior_type
executor(executor_actor::stateful_pointer<executor_state> self,
         std::shared_ptr<sluice::engine> device);

} // namespace sluice::actors

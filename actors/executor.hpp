// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>

#include "actors/interfaces.hpp"
#include "actors/step_watch.hpp"

namespace sluice {
class engine;
}

namespace sluice::actors {

/// One device behind frames: hands plans to the engine and results to the
/// batchers. Spawned detached, since a step keeps its thread busy.
///
/// A device that works by itself gets plan n+1 while it computes plan n, and a
/// watch tells when a step has ended; with any other a plan is finished before
/// the next one is taken from the mailbox.
class executor_state {
public:
  static constexpr const char* name = "executor";

  explicit executor_state(executor_actor::pointer self);

  void configure(std::shared_ptr<sluice::engine> device);

  void bind(std::uint32_t lane, batcher_actor batcher);
  void run(frame<messages::StepPlan> plan);
  void attach(frame<messages::Attach> state);
  void ended();

private:
  void start(const messages::StepPlan& plan);
  void send_result();
  frame<messages::StepResult> finish(const messages::StepPlan& plan);
  void await_end(const step_end& end);

  executor_actor::pointer self_;
  std::shared_ptr<sluice::engine> device_;
  std::unordered_map<std::uint32_t, batcher_actor> batchers_;
  std::deque<frame<messages::StepPlan>> plans_; // started, oldest first
  std::unique_ptr<step_watch> watch_; // of a device that needs one; before
                                      // device_ goes
  bool pinned_ = false;
};

executor_actor::behavior_type
executor(executor_actor::stateful_pointer<executor_state> self,
         std::shared_ptr<sluice::engine> device);

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

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
///
/// A device can be lost (a sticky device_error). The actor outlives it:
///
///   serving --a step loses it--> lost --renew()--> serving, its next life
///
/// The plan that lost it gets no result, and none that its batcher made before
/// it heard of the new life does: a batcher says attach() when it has.
class executor_state {
public:
  static constexpr const char* name = "executor";

  explicit executor_state(executor_actor::pointer self);

  void configure(std::shared_ptr<sluice::engine> device);

  void bind(std::uint32_t lane, batcher_actor batcher);
  void run(frame<messages::StepPlan> plan);
  void attach(frame<messages::Attach> state);
  void ended();
  caf::typed_response_promise<std::string> watch();
  std::string renew();

private:
  void start(const messages::StepPlan& plan);
  void send_result();
  /// @return nothing if the device was lost.
  frame<messages::StepResult> finish(const messages::StepPlan& plan);
  void await_end(const step_end& end);
  bool has_started() const;
  bool is_void(const messages::StepPlan& plan) const;
  bool loses(const std::exception& error) const;
  void lose(const std::string& why);
  void begin_life();

  executor_actor::pointer self_;
  std::shared_ptr<sluice::engine> device_;
  std::unordered_map<std::uint32_t, batcher_actor> batchers_;
  std::deque<frame<messages::StepPlan>> plans_; // started, oldest first
  std::unique_ptr<step_watch> watch_; // of a device that needs one; before
                                      // device_ goes
  bool pinned_ = false;
  bool lost_ = false;
  std::string lost_why_;
  bool watched_ = false;
  caf::typed_response_promise<std::string> watcher_; // pending, or nobody's
  std::uint64_t life_ = 0;                           // times it was made anew
  std::unordered_set<std::uint32_t> unattached_;     // lanes, in this life
};

executor_actor::behavior_type
executor(executor_actor::stateful_pointer<executor_state> self,
         std::shared_ptr<sluice::engine> device);

} // namespace sluice::actors

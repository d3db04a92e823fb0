// SPDX-License-Identifier: Apache-2.0
#include "actors/executor.hpp"

#include <exception>
#include <string>
#include <utility>

#include "actors/guard.hpp"
#include "model/engine.hpp"

namespace sluice::actors {
namespace {

frame<messages::StepResult> failure_of(const messages::StepPlan& plan,
                                       const std::string& text) {
  spdlog::error("executor: step {} failed: {}", plan.number(), text);
  messages::StepResultT failure;
  failure.lane = plan.lane();
  failure.number = plan.number();
  failure.code = messages::ErrorCode::executor_failed;
  failure.text = text;
  return messages::pack<messages::StepResult>(failure);
}

} // namespace

executor_state::executor_state(executor_actor::pointer self) : self_{self} {}

void executor_state::configure(std::shared_ptr<sluice::engine> device) {
  device_ = std::move(device);
}

void executor_state::bind(std::uint32_t lane, batcher_actor batcher) {
  batchers_[lane] = std::move(batcher);
}

void executor_state::run(frame<messages::StepPlan> plan) {
  if (!std::exchange(pinned_, true))
    device_->pin_caller(); // this thread is the actor's own and ends with it
  if (!batchers_.contains(plan->lane())) {
    spdlog::error("executor: plan {} names lane {}, which nobody is bound to",
                  plan->number(), plan->lane());
    return;
  }
  if (device_->started() == most_started_steps)
    send_result();
  plans_.push_back(std::move(plan));
  start(*plans_.back());
  ended();
}

/// Sends what is there. Sent by the watch, whenever a step has ended.
void executor_state::ended() {
  while (device_->started() > 0 && device_->is_done())
    send_result();
}

// Whatever happens on the device, the batcher gets a result for its plan.
void executor_state::start(const messages::StepPlan& plan) {
  try {
    if (const auto* end = device_->start(plan))
      await_end(*end);
  } catch (const std::exception& error) {
    const std::string text = error.what();
    while (device_->started() > 0)
      send_result();
    if (!plans_.empty()) // it was not started
      self_->send(batchers_.at(plan.lane()), failure_of(plan, text));
    plans_.clear();
  }
}

void executor_state::await_end(const step_end& end) {
  if (!watch_)
    watch_ = std::make_unique<step_watch>([to = self_->address()] {
      if (const auto executor = caf::actor_cast<executor_actor>(to))
        caf::anon_send(executor, ended_atom::value);
    });
  watch_->add(end);
}

void executor_state::send_result() {
  const auto plan = std::move(plans_.front());
  plans_.pop_front();
  self_->send(batchers_.at(plan->lane()), finish(*plan));
}

frame<messages::StepResult>
executor_state::finish(const messages::StepPlan& plan) {
  try {
    return device_->finish();
  } catch (const std::exception& error) {
    return failure_of(plan, error.what());
  } catch (...) {
    return failure_of(plan, "the device failed without saying why");
  }
}

void executor_state::attach(frame<messages::Attach> state) {
  while (device_->started() > 0)
    send_result();
  device_->attach(*state);
}

executor_actor::behavior_type
executor(executor_actor::stateful_pointer<executor_state> self,
         std::shared_ptr<sluice::engine> device) {
  self->state.configure(std::move(device));
  return {guarded(self, &executor_state::run),
          guarded(self, &executor_state::attach),
          guarded_on<open_atom>(self, &executor_state::bind),
          guarded_on<ended_atom>(self, &executor_state::ended)};
}

} // namespace sluice::actors

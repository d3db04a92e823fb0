// SPDX-License-Identifier: Apache-2.0
#include "actors/executor.hpp"

#include <exception>
#include <string>
#include <utility>

#include "actors/guard.hpp"
#include "kernels/device_error.hpp"
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
  if (is_void(*plan))
    return;
  if (!std::exchange(pinned_, true))
    device_->pin_caller(); // this thread is the actor's own and ends with it
  if (!batchers_.contains(plan->lane())) {
    spdlog::error("executor: plan {} names lane {}, which nobody is bound to",
                  plan->number(), plan->lane());
    return;
  }
  if (device_->started() == most_started_steps)
    send_result();
  if (lost_)
    return;
  plans_.push_back(std::move(plan));
  start(*plans_.back());
  ended();
}

/// Sends what is there. Sent by the watch, whenever a step has ended.
void executor_state::ended() {
  while (has_started() && device_->is_done())
    send_result();
}

// Whatever happens on a device that is not lost, the batcher gets a result for
// its plan.
void executor_state::start(const messages::StepPlan& plan) {
  try {
    if (const auto* end = device_->start(plan))
      await_end(*end);
  } catch (const std::exception& error) {
    const std::string text = error.what();
    if (loses(error))
      return lose(text);
    while (has_started())
      send_result();
    if (lost_)
      return;
    self_->send(batchers_.at(plan.lane()), failure_of(plan, text));
    plans_.clear(); // it was not started
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
  if (auto result = finish(*plan))
    self_->send(batchers_.at(plan->lane()), std::move(result));
}

frame<messages::StepResult>
executor_state::finish(const messages::StepPlan& plan) {
  try {
    return device_->finish();
  } catch (const std::exception& error) {
    if (!loses(error))
      return failure_of(plan, error.what());
    lose(error.what());
    return {};
  } catch (...) {
    return failure_of(plan, "the device failed without saying why");
  }
}

void executor_state::attach(frame<messages::Attach> state) {
  if (lost_ || state->life() != life_)
    return; // the batcher will hear of another life
  while (has_started())
    send_result();
  if (lost_)
    return;
  device_->attach(*state);
  unattached_.erase(state->lane());
}

// -- a device that is lost, and its next life ---------------------------------

bool executor_state::loses(const std::exception& error) const {
  const auto* of_device = dynamic_cast<const device_error*>(&error);
  return watched_ && of_device && of_device->sticky();
}

bool executor_state::has_started() const {
  return !lost_ && device_->started() > 0;
}

bool executor_state::is_void(const messages::StepPlan& plan) const {
  return lost_ || unattached_.contains(plan.lane());
}

void executor_state::lose(const std::string& why) {
  lost_ = true;
  lost_why_ = why;
  if (watcher_.pending())
    watcher_.deliver(why);
}

caf::typed_response_promise<std::string> executor_state::watch() {
  watched_ = true;
  watcher_ = self_->make_response_promise<std::string>();
  if (lost_)
    watcher_.deliver(lost_why_);
  return watcher_;
}

std::string executor_state::renew() {
  try {
    watch_.reset(); // before the ends that it waits for
    device_->renew();
    begin_life();
    return {};
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "the device could not be made anew and did not say why";
  }
}

void executor_state::begin_life() {
  lost_ = false;
  pinned_ = false;
  plans_.clear();
  ++life_;
  for (const auto& [lane, batcher] : batchers_) {
    unattached_.insert(lane);
    self_->send(batcher, renew_atom::value, life_);
  }
}

executor_actor::behavior_type
executor(executor_actor::stateful_pointer<executor_state> self,
         std::shared_ptr<sluice::engine> device) {
  self->state.configure(std::move(device));
  return {guarded(self, &executor_state::run),
          guarded(self, &executor_state::attach),
          guarded_on<open_atom>(self, &executor_state::bind),
          guarded_on<ended_atom>(self, &executor_state::ended),
          guarded_on<lost_atom>(self, &executor_state::watch),
          guarded_on<renew_atom>(self, &executor_state::renew)};
}

} // namespace sluice::actors

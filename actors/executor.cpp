// SPDX-License-Identifier: Apache-2.0
#include "actors/executor.hpp"

#include <utility>

#include "actors/guard.hpp"
#include "kernels/device_error.hpp"
#include "model/engine.hpp"

namespace sluice::actors {

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
  const auto found = batchers_.find(plan->lane());
  if (found == batchers_.end()) {
    spdlog::error("executor: plan {} names lane {}, which nobody is bound to",
                  plan->number(), plan->lane());
    return;
  }
  if (auto result = step(*plan))
    self_->send(found->second, std::move(result));
}

// Whatever else happens on the device, the batcher gets a result for its plan.
frame<messages::StepResult>
executor_state::step(const messages::StepPlan& plan) {
  messages::StepResultT failure;
  failure.lane = plan.lane();
  failure.number = plan.number();
  failure.code = messages::ErrorCode::executor_failed;
  try {
    return device_->step(plan);
  } catch (const device_error& error) {
    failure.text = error.what();
    if (error.sticky() && watched_) {
      lose(failure.text);
      return {};
    }
  } catch (const std::exception& error) {
    failure.text = error.what();
  } catch (...) {
    failure.text = "the device failed without saying why";
  }
  spdlog::error("executor: step {} failed: {}", failure.number, failure.text);
  return messages::pack<messages::StepResult>(failure);
}

void executor_state::attach(frame<messages::Attach> state) {
  if (lost_ || state->life() != life_)
    return; // the batcher will hear of another life
  device_->attach(*state);
  unattached_.erase(state->lane());
}

// -- a device that is lost, and its next life
// ----------------------------------------------------------------------

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
          guarded_on<lost_atom>(self, &executor_state::watch),
          guarded_on<renew_atom>(self, &executor_state::renew)};
}

} // namespace sluice::actors

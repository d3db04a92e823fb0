// SPDX-License-Identifier: Apache-2.0
#include "actors/executor.hpp"

#include <utility>

#include "actors/guard.hpp"
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
  if (!std::exchange(pinned_, true))
    device_->pin_caller(); // this thread is the actor's own and ends with it
  const auto found = batchers_.find(plan->lane());
  if (found == batchers_.end()) {
    spdlog::error("executor: plan {} names lane {}, which nobody is bound to",
                  plan->number(), plan->lane());
    return;
  }
  self_->send(found->second, step(*plan));
}

// Whatever happens on the device, the batcher gets a result for its plan.
frame<messages::StepResult>
executor_state::step(const messages::StepPlan& plan) {
  messages::StepResultT failure;
  failure.lane = plan.lane();
  failure.number = plan.number();
  failure.code = messages::ErrorCode::executor_failed;
  try {
    return device_->step(plan);
  } catch (const std::exception& error) {
    failure.text = error.what();
  } catch (...) {
    failure.text = "the device failed without saying why";
  }
  spdlog::error("executor: step {} failed: {}", failure.number, failure.text);
  return messages::pack<messages::StepResult>(failure);
}

void executor_state::attach(frame<messages::Attach> state) {
  device_->attach(*state);
}

executor_actor::behavior_type
executor(executor_actor::stateful_pointer<executor_state> self,
         std::shared_ptr<sluice::engine> device) {
  self->state.configure(std::move(device));
  return {guarded(self, &executor_state::run),
          guarded(self, &executor_state::attach),
          guarded_on<open_atom>(self, &executor_state::bind)};
}

} // namespace sluice::actors

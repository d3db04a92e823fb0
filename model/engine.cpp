// SPDX-License-Identifier: Apache-2.0
#include "model/engine.hpp"

#include "kernels/check.hpp"
#include "kernels/device_error.hpp"

#include <exception>
#include <string>
#include <utility>

namespace sluice {

engine::engine(std::unique_ptr<compute_device> device)
    : device_{std::move(device)} {}

engine::engine(device_source source)
    : source_{std::move(source)}, device_{source_.make()} {}

engine::engine(const engine_options& options)
    : engine{std::make_unique<cpu_device>(options)} {}

std::uint32_t engine::add_lane(std::shared_ptr<const loaded_model> model,
                               const lane_options& options) {
  lanes_.push_back(std::make_unique<lane>(model, options, *device_));
  hosted_.push_back({std::move(model), options});
  return lanes() - 1;
}

void engine::renew() {
  require(source_.make != nullptr,
          "engine: this device cannot be made anew; give the engine a "
          "device_source");
  if (device_)
    device_->unpin_caller(); // the new one may start threads
  lanes_.clear();
  device_.reset(); // nobody has anything of the old one when it is cleared away
  if (source_.reset)
    source_.reset();
  device_ = source_.make();
  for (const auto& [model, options] : hosted_)
    lanes_.push_back(std::make_unique<lane>(model, options, *device_));
  step_ended_ = {};
}

messages::frame<messages::StepResult>
engine::step(const messages::StepPlan& plan) {
  // The times go into the result and decide nothing.
  const auto begin = clock::now();
  const auto last = std::exchange(step_ended_, begin);
  answer_.begin(plan);
  run(plan);
  answer_.times().idle =
      last == clock::time_point{} ? last - last : begin - last;
  step_ended_ = clock::now();
  answer_.times().compute = step_ended_ - begin;
  return answer_.pack(results_);
}

void engine::run(const messages::StepPlan& plan) {
  using messages::ErrorCode;
  if (plan.lane() >= lanes())
    return answer_.fail(ErrorCode::internal,
                        "the plan names lane " + std::to_string(plan.lane()) +
                            " of " + std::to_string(lanes()) +
                            "; add the lane first");
  try {
    lanes_[plan.lane()]->step(plan, observer_, answer_);
  } catch (const device_error& error) {
    if (error.sticky())
      throw; // it is not this step's alone
    answer_.fail(ErrorCode::executor_failed, error.what());
  } catch (const std::exception& error) {
    answer_.fail(ErrorCode::executor_failed, error.what());
  }
}

void engine::attach(const messages::Attach& state) {
  require(state.lane() < lanes(),
          "engine: there is no such lane; add it first");
  lanes_[state.lane()]->attach(state);
}

lane_facts engine::facts(std::uint32_t lane) const {
  require(lane < lanes(), "engine: there is no such lane; add it first");
  return lanes_[lane]->facts();
}

void engine::observe(logits_observer observer) {
  observer_ = std::move(observer);
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/engine.hpp"

#include "kernels/check.hpp"

#include <exception>
#include <string>
#include <utility>

namespace sluice {

engine::engine(std::unique_ptr<compute_device> device)
    : device_{std::move(device)} {}

engine::engine(const engine_options& options)
    : engine{std::make_unique<cpu_device>(options)} {}

std::uint32_t engine::add_lane(std::shared_ptr<const loaded_model> model,
                               const lane_options& options) {
  lanes_.push_back(std::make_unique<lane>(std::move(model), options, *device_));
  return lanes() - 1;
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

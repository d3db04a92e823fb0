// SPDX-License-Identifier: Apache-2.0
#include "model/engine.hpp"

#include "kernels/check.hpp"
#include "kernels/select.hpp"

#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace sluice {

namespace {

messages::StepResultT failed_step(const messages::StepPlan& plan,
                                  messages::ErrorCode code, std::string text) {
  messages::StepResultT result;
  result.lane = plan.lane();
  result.number = plan.number();
  result.code = code;
  result.text = std::move(text);
  return result;
}

} // namespace

engine::engine(engine_options options)
    : ops_{&select(options.isa.value_or(detect()))},
      pool_{{.threads = options.threads, .pin = options.pin}} {}

std::uint32_t engine::add_lane(std::shared_ptr<const loaded_model> model,
                               const lane_options& options) {
  lanes_.push_back(std::make_unique<lane>(std::move(model), options, *ops_));
  return lanes() - 1;
}

messages::frame<messages::StepResult>
engine::step(const messages::StepPlan& plan) {
  // The time goes into the result and decides nothing.
  using clock = std::chrono::steady_clock;
  const auto begin = clock::now();
  auto result = run(plan);
  result.compute_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(clock::now() -
                                                            begin)
          .count());
  return messages::pack<messages::StepResult>(result);
}

messages::StepResultT engine::run(const messages::StepPlan& plan) {
  using messages::ErrorCode;
  if (plan.lane() >= lanes())
    return failed_step(plan, ErrorCode::internal,
                       "the plan names lane " + std::to_string(plan.lane()) +
                           " of " + std::to_string(lanes()) +
                           "; add the lane first");
  try {
    return lanes_[plan.lane()]->step(plan, pool_, observer_);
  } catch (const std::exception& error) {
    return failed_step(plan, ErrorCode::executor_failed, error.what());
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

// SPDX-License-Identifier: Apache-2.0
#include "model/engine.hpp"

#include "kernels/check.hpp"
#include "kernels/device_error.hpp"

#include <algorithm>
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
                               const lane_options& options,
                               const progress_fn& progress) {
  lanes_.push_back(std::make_unique<lane>(model, options, *device_, progress));
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
  flights_ = {};
  oldest_ = started_ = 0;
}

const step_end* engine::start(const messages::StepPlan& plan) {
  require(started_ < flights_.size(),
          "engine: too many steps are started; finish the oldest first");
  auto& step = flights_[(oldest_ + started_) % flights_.size()];
  // The times go into the result and decide nothing.
  step.began = clock::now();
  step.answer.begin(plan);
  if (started_ == 0 && step_ended_ != clock::time_point{})
    step.answer.times().idle = step.began - step_ended_;
  start(plan, step);
  ++started_;
  return step.end;
}

void engine::start(const messages::StepPlan& plan, flight& step) {
  using messages::ErrorCode;
  step.where = nullptr;
  step.end = nullptr;
  if (plan.lane() >= lanes())
    return step.answer.fail(
        ErrorCode::internal,
        "the plan names lane " + std::to_string(plan.lane()) + " of " +
            std::to_string(lanes()) + "; add the lane first");
  auto& where = *lanes_[plan.lane()];
  try {
    step.end = where.start(plan, observer_, step.answer);
    step.where = &where;
  } catch (const device_error& error) {
    if (error.sticky())
      throw; // it is not this step's alone
    step.answer.fail(ErrorCode::executor_failed, error.what());
  } catch (const std::exception& error) {
    step.answer.fail(ErrorCode::executor_failed, error.what());
  }
}

bool engine::is_done() const noexcept {
  const auto* end = started_ > 0 ? flights_[oldest_].end : nullptr;
  try {
    return !end || end->reached();
  } catch (const std::exception&) {
    return true; // finish() will meet it, too
  }
}

messages::frame<messages::StepResult> engine::finish() {
  require(started_ > 0, "engine: no step is started; start one first");
  auto& step = flights_[oldest_];
  --started_;
  oldest_ = started_ == 0 ? 0 : (oldest_ + 1) % flights_.size();
  finish(step);
  // Behind another step it has begun when that one ended.
  const auto begun = std::max(step.began, step_ended_);
  step_ended_ = clock::now();
  step.answer.times().compute = step_ended_ - begun;
  return step.answer.pack(results_);
}

void engine::finish(flight& step) {
  if (!step.where)
    return;
  try {
    step.where->finish();
  } catch (const device_error& error) {
    if (error.sticky())
      throw;
    step.answer.fail(messages::ErrorCode::executor_failed, error.what());
  } catch (const std::exception& error) {
    step.answer.fail(messages::ErrorCode::executor_failed, error.what());
  }
}

messages::frame<messages::StepResult>
engine::step(const messages::StepPlan& plan) {
  require(started_ == 0, "engine: a step is started already; finish it first");
  start(plan);
  return finish();
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

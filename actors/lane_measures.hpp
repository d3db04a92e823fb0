// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include <caf/actor_clock.hpp>

#include "actors/policy/lane_schedule.hpp"
#include "actors/reports.hpp"
#include "messages/lane_generated.h"

namespace sluice::actors {

/// What a batcher measures of its lane; gathers samples for the meter.
class lane_measures {
public:
  using time_point = caf::actor_clock::time_point;

  /// The page manager answered. What pages are in use for is told now and then
  /// only, and when none is.
  void granted(const messages::PageGrant& grant, time_point now,
               std::uint32_t outside);

  /// A result came.
  /// @param more_plans  others were already on their way to the executor when
  ///                    it did: what comes next does not wait for the batcher.
  void finished(const messages::StepResult& result, time_point now,
                bool more_plans);

  /// What the step had been predicted to take.
  /// @param error  relative, smoothed over recent steps.
  void predicted(const policy::step_timing& timing, double error);

  /// The device was away: the next result says nothing of what a step costs.
  void interrupted() noexcept { pipeline_was_busy_ = false; }

  /// What a cancelled request had is free or cached.
  /// @param took  since the cancel.
  void cancelled_pages_free(time_point::duration took);

  /// A request has left the lane.
  void left(messages::ErrorCode code, const messages::ReceiptT& used);

  std::uint64_t steps() const noexcept { return steps_; }
  time_point last_result() const noexcept { return last_result_; }

  /// What was gathered since the last time.
  metric_batch take() { return std::exchange(samples_, {}); }
  bool empty() const noexcept { return samples_.samples.empty(); }

private:
  void add(metric_kind kind, const char* name, double value);
  void add_times(const messages::StepResult& result, time_point now);
  void add_pages(const messages::PageCounts& counts);

  metric_batch samples_;
  std::uint64_t steps_ = 0;
  time_point last_result_{};
  time_point last_counts_{};
  std::uint32_t most_waste_ = 0; // since then
  bool pipeline_was_busy_ = false;
};

} // namespace sluice::actors

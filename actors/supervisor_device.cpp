// SPDX-License-Identifier: Apache-2.0
// A device that is lost: made anew, or given up.
#include <spdlog/spdlog.h>

#include "actors/metric_names.hpp"
#include "actors/supervisor.hpp"

namespace sluice::actors {

using messages::ErrorCode;
using messages::HealthState;

namespace {

std::string milliseconds(std::chrono::nanoseconds time) {
  using std::chrono::milliseconds;
  return std::to_string(
             std::chrono::duration_cast<milliseconds>(time).count()) +
         " ms";
}

} // namespace

void supervisor_state::watch_device(executor_actor executor,
                                    meter_actor meter) {
  executor_ = std::move(executor);
  meter_ = std::move(meter);
  await_loss();
}

// If the executor itself dies its end is heard, and ends the daemon.
void supervisor_state::await_loss() {
  self_->request(executor_, caf::infinite, lost_atom::value)
      .then([this](const std::string& why) { lost(why); },
            [](const caf::error&) {});
}

void supervisor_state::lost(const std::string& why) {
  if (level_ == level::stopped)
    return;
  const auto pause = restarts_.lost(now().time_since_epoch());
  if (!recovers())
    lost_since_ = now();
  lost_why_ = why;
  if (!pause)
    return give_up();
  spdlog::error("supervisor: the device is lost: {}; it is made anew and what "
                "runs is computed again (loss {} in a row of {})",
                why, restarts_.losses_in_a_row(), config_.restarts.most_losses);
  judge();
  if (*pause == policy::instant{0})
    renew();
  else
    self_->delayed_send(self_, *pause, renew_atom::value);
}

void supervisor_state::renew() {
  if (level_ == level::stopped)
    return;
  self_->request(executor_, caf::infinite, renew_atom::value)
      .then(
          [this](const std::string& failure) {
            if (failure.empty())
              back();
            else
              lost(failure);
          },
          [](const caf::error&) {});
}

void supervisor_state::back() {
  spdlog::warn("supervisor: the device is back after {}; what ran is computed "
               "again",
               milliseconds(now() - *lost_since_));
  restarts_.back(now().time_since_epoch());
  lost_since_.reset();
  back_at_ = now();
  stepping_ = {};
  health_.text.clear();
  judge();
  self_->send(
      meter_,
      metric_batch{{{metric::executor_restarts, metric_kind::counter, 1, {}}}});
  await_loss();
}

// Clients hear it as executor_failed, whoever looks at the daemon as its end.
void supervisor_state::give_up() {
  given_up_ =
      "the device was lost " + std::to_string(restarts_.losses_in_a_row()) +
      " times in a row, at last with: " + lost_why_ +
      "; restart the daemon, and if that does not help look for the GPU's "
      "errors (dmesg, nvidia-smi -q) or set executor.device to cpu";
  spdlog::critical("supervisor: {}", given_up_);
  judge();
  if (!scheduler_)
    return end(1, given_up_);
  level_ = level::aborting;
  drain_began_ = now();
  self_->send(gateway_, drain_atom::value);
  self_->send(scheduler_, failed_atom::value, ErrorCode::executor_failed,
              given_up_);
  self_->request(scheduler_, caf::infinite, drain_atom::value)
      .then([this](bool) { end(1, given_up_); },
            [this](const caf::error&) { end(1, given_up_); });
}

/// Nothing moves meanwhile, and everybody knows why.
void supervisor_state::judge_recovery() {
  const auto took = now() - *lost_since_;
  const bool hopeless = !given_up_.empty() || took > config_.recovery_limit;
  if (hopeless)
    health_.state = HealthState::failing;
  else if (level_ == level::running)
    health_.state = HealthState::recovering;
  health_.text = !given_up_.empty()
                     ? given_up_
                     : "the device was lost " + milliseconds(took) + " ago (" +
                           lost_why_ +
                           ") and is made anew; streams pause, and then go on";
}

} // namespace sluice::actors

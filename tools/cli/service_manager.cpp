// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/service_manager.hpp"

#include <systemd/sd-daemon.h>

namespace sluice::cli {
namespace {

/// More start time asked for with every percent that is loaded.
constexpr std::chrono::microseconds extension = std::chrono::seconds{60};

void notify(const std::string& lines) {
  sd_notify(0, lines.c_str());
}

} // namespace

service_manager::service_manager() {
  std::uint64_t interval_us = 0;
  if (sd_watchdog_enabled(0, &interval_us) > 0)
    watchdog_ = std::chrono::microseconds{interval_us / 2};
}

void service_manager::loading(std::uint64_t done_bytes,
                              std::uint64_t total_bytes) {
  const auto part = total_bytes == 0 ? 0.0
                                     : static_cast<double>(done_bytes) /
                                           static_cast<double>(total_bytes);
  const auto percent = static_cast<int>(part * 100);
  if (percent == percent_)
    return;
  percent_ = percent;
  notify("STATUS=Loading weights, " + std::to_string(percent) +
         " %\nEXTEND_TIMEOUT_USEC=" + std::to_string(extension.count()));
}

void service_manager::ready(const std::string& status) {
  notify("READY=1\nSTATUS=" + status);
}

void service_manager::health(const actors::health_report& report) {
  using messages::HealthState;
  if (report.state == HealthState::draining)
    stopping();
  // A daemon that is stuck is not fed: systemd then restarts it.
  if (watchdog_.count() == 0 || report.state == HealthState::failing)
    return;
  const auto now = std::chrono::steady_clock::now();
  if (now - fed_ < watchdog_)
    return;
  fed_ = now;
  auto status = std::to_string(report.running) + " running, " +
                std::to_string(report.waiting) + " waiting";
  if (report.state == HealthState::recovering)
    status += "; " + report.text;
  notify("WATCHDOG=1\nSTATUS=" + status);
}

void service_manager::stopping() {
  if (stopping_)
    return;
  stopping_ = true;
  notify("STOPPING=1");
}

} // namespace sluice::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "actors/reports.hpp"

namespace sluice::cli {

/// What systemd wants to hear of a Type=notify service; silent without it.
/// @source sd_notify(3), sd_watchdog_enabled(3).
class service_manager {
public:
  service_manager();

  /// "STATUS=Loading weights, 37 %", and more time to start.
  void loading(std::uint64_t done_bytes, std::uint64_t total_bytes);

  /// READY=1 with a status.
  void ready(const std::string& status);

  /// Feeds the watchdog while the daemon makes progress; says STOPPING=1 once
  /// it drains. Called from one thread.
  void health(const actors::health_report& report);

  void stopping();

private:
  std::chrono::microseconds watchdog_{0}; // half the interval; 0: none asked
  std::chrono::steady_clock::time_point fed_{};
  int percent_ = -1;
  bool stopping_ = false;
};

} // namespace sluice::cli

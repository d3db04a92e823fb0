// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/simulate/arrivals.hpp"
#include "tools/simulate/simulation.hpp"

namespace sluice::simulate {

/// What the command line says; times in the flags' units.
struct flags {
  load wanted{.requests = 0}; // 0: not said
  std::string trace;          // file; empty: random requests
  double burst_seconds = 5;

  simulation_settings settings;
  std::string reserve = "full";
  double itl_target_ms = 0;
  double decode_share_percent = 78;
  double overhead_us = 100;
  double goal_ttft_ms = 2000;
  double goal_itl_ms = 200;

  std::vector<std::string> bench; // files; none: the cost flags
  bool as_json = false;
};

void add_flags(CLI::App& app, flags& to);

/// How many requests come; 0: all of the trace.
std::uint64_t requests_of(const flags& from);

/// The settings with everything resolved: units, files.
/// @throws std::runtime_error for files that cannot be read.
simulation_settings settings_of(const flags& from);

/// @throws std::runtime_error for a trace that cannot be read.
arrivals arrivals_of(const flags& from);

} // namespace sluice::simulate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/bench/statistics.hpp"
#include "tools/cli/json_output.hpp"

namespace sluice::cli {

/// What every subcommand of `sluice bench` takes.
struct bench_output_flags {
  bool as_json = false;
  std::string plot; // SVG file to write; empty: none
};

/// Adds --json and --plot.
std::shared_ptr<bench_output_flags> add_bench_output_flags(CLI::App& app);

/// {"version", "commit", "device", "date"}: the first keys of every report.
json environment_json();

/// "AMD EPYC, commit 1a2b3c4, 2026-11-26T22:10:00Z": below a plot's title.
std::string environment_line();

/// {"median", "min", "max", "mad"}, each times a factor.
json summary_json(const bench::summary& values, double factor = 1);

/// @throws output_error.
void write_file(const std::string& path, const std::string& text);

/// printf into a string.
template <class... Values>
std::string line(const char* format, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

} // namespace sluice::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace sluice::config {

/// Names and texts of options, in the order they were given.
using assignments = std::vector<std::pair<std::string, std::string>>;

/// Where values come from; later members win over earlier ones.
struct sources {
  std::optional<std::filesystem::path> file; // TOML
  assignments environment;                   // "SLUICE_…" and text
  assignments flags;                         // "memory.kv_bytes" and text
};

struct loaded_config {
  config values;
  /// Who set each option that is not at its default: "sluice.toml:12",
  /// "SLUICE_LOG_LEVEL", "--log.level".
  std::map<std::string, std::string, std::less<>> origins;
};

/// Reads and checks every source: flags over environment over file over
/// defaults.
/// @throws config_error naming source and option for an unreadable file, bad
///         TOML, unknown keys, bad values, values that contradict each other.
loaded_config load(const sources& from);

/// The SLUICE_* variables of this process.
assignments process_environment();

/// Rules between options, e.g. that a window fits in all windows.
/// @throws config_error naming both options.
void validate(const config& values);

} // namespace sluice::config

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace sluice::cli {

/// Sends the log to stderr in the configured form: lines for people (without a
/// time if the journal adds its own), or a JSON object a line.
/// @note call it once, before other threads log.
void set_up_log(const config::log_section& options);

/// One line of the JSON form:
/// {"time":"2026-01-02T03:04:05.678Z","level":"warn","text":"…"}
std::string json_log_line(long long epoch_ms, std::string_view level,
                          std::string_view text);

} // namespace sluice::cli

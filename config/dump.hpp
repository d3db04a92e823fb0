// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/load.hpp"

namespace sluice::config {

/// What a printed configuration says beside the values.
enum class dump_style { plain, with_help, with_origins };

/// TOML that `load` reads back to the same values.
std::string dump_toml(const loaded_config& from, dump_style style);

/// {"memory": {"kv_bytes": {"value": "512MiB", "origin": "default"}}}
std::string dump_json(const loaded_config& from);

/// All options with values, defaults and variables, for --help.
std::string option_help();

} // namespace sluice::config

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "config/load.hpp"

namespace sluice::cli {

/// Adds --config and a flag for every option to a command.
/// @return what the flags said, filled when the command line is parsed; give
///         it to load_config() then.
struct config_flags {
  std::string file;
  config::assignments values;
};

std::shared_ptr<config_flags> add_config_flags(CLI::App& app);

/// Flags over environment over file over defaults.
/// @throws config::config_error.
config::loaded_config load_config(const config_flags& flags);

} // namespace sluice::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "config/load.hpp"

namespace sluice::cli {

/// What --config and the options' flags said.
struct config_flags {
  std::string file;
  config::assignments values;
};

/// Adds --config and a flag for every option to a command.
/// @return filled when the command line is parsed; for load_config() then.
std::shared_ptr<config_flags> add_config_flags(CLI::App& app);

/// Refuses what no flag took, with the option that was probably meant. The
/// command must allow extras, or the parser refuses them without a hint.
/// @throws config::config_error.
void refuse_unknown(const CLI::App& app);

/// Flags over environment over file over defaults.
/// @throws config::config_error.
config::loaded_config load_config(const config_flags& flags);

} // namespace sluice::cli

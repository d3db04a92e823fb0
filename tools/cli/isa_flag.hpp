// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "kernels/select.hpp"

namespace sluice::cli {

/// Adds --isa, which writes `text`.
void add_isa_flag(CLI::App& app, std::string& text);

/// The path that --isa names; the best of this CPU if it was not given.
/// @throws client::bad_request that lists the paths of this CPU.
instruction_set isa_of(const std::string& text);

} // namespace sluice::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace sluice::cli {

// The subcommands of `sluice bench`; see commands.hpp.

void add_bench_kernels(CLI::App& bench, int& code);

} // namespace sluice::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace sluice::cli {

// Each adds one command to the program: flags, help, and the work itself as a
// callback that runs after the whole command line is parsed and leaves the
// program's exit code in @p code.

void add_generate(CLI::App& program, int& code);
void add_map(CLI::App& program, int& code);
void add_score(CLI::App& program, int& code);
void add_health(CLI::App& program, int& code);
void add_list(CLI::App& program, int& code);
void add_show(CLI::App& program, int& code);
void add_cancel(CLI::App& program, int& code);
void add_stats(CLI::App& program, int& code);
void add_top(CLI::App& program, int& code);
void add_synth(CLI::App& program, int& code);
void add_quantize(CLI::App& program, int& code);
void add_bench(CLI::App& program, int& code);
void add_config(CLI::App& program, int& code);
void add_version(CLI::App& program, int& code);

} // namespace sluice::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace sluice {

/// The best path this CPU and operating system can run, found by CPUID:
/// amx needs AMX-INT8 and AMX-BF16, and that the system grants their state;
/// avx512 needs F, BW, DQ, VL and VNNI; avx2 needs AVX2, FMA and F16C.
instruction_set detect();

/// Whether this build has the path and this CPU can run it.
bool available(instruction_set isa);

/// Every available path, slowest first; `reference` is always the first.
std::vector<instruction_set> available_instruction_sets();

/// The ops of one path; the table lives as long as the program.
/// @throws contract_violation if the path is not available here; the text
///         lists those that are.
const op_table& select(instruction_set isa);

/// "reference", "portable", "avx2", "avx512" or "amx".
std::string_view name(instruction_set isa);

/// The inverse of `name`; nothing for an unknown name.
std::optional<instruction_set> parse_instruction_set(std::string_view text);

} // namespace sluice

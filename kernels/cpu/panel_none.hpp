// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// A path without panels.

namespace sluice::SLUICE_ISA {

inline constexpr std::int64_t panel_rows = 1;

} // namespace sluice::SLUICE_ISA

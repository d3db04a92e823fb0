// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::cli {

/// As in CMakeLists.txt.
inline constexpr const char* version = SLUICE_VERSION;

} // namespace sluice::cli

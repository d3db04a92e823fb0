// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace sluice {

/// A point in time as the caller's clock counts it: nothing in memory/ looks
/// at a clock.
using instant = std::chrono::nanoseconds;

} // namespace sluice

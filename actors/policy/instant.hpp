// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace sluice::policy {

/// A point in time as the caller's clock counts it: policies never look at a
/// clock themselves.
using instant = std::chrono::nanoseconds;

} // namespace sluice::policy

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace sluice {

/// The CPUs that the calling thread may run on, ascending; empty if the
/// system does not say.
std::vector<int> allowed_cpus();

/// Lets the calling thread run on these CPUs only. Best effort: a container
/// may forbid it, and no result depends on it.
void run_on(const std::vector<int>& cpus);

} // namespace sluice

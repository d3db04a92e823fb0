// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

// How tests lose the emulated device.

namespace sluice::cuda::emulation {

/// Launches, copies, fills, events and waits so far; those of a graph when it
/// runs, each by itself.
std::uint64_t calls();

/// So many more calls are done. The one after them fails with a sticky
/// device_error, and so does everything else, memory too, until reset_device().
void lose_device_after(std::uint64_t calls);

} // namespace sluice::cuda::emulation

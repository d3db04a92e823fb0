// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice {

/// A place on a device as the one remembers it who had it last. device_slots
/// knows whether it is still theirs.
struct device_slot {
  std::uint32_t index = 0;
  std::uint64_t stamp = 0; // of this time that they got one; 0: never
};

/// What a device keeps of a sequence from step to step. The device writes it,
/// the sequence takes back what has become wrong.
struct device_copy {
  device_slot table;
  std::uint32_t table_entries = 0; // of its page table, the first ones
  device_slot counts;
  std::uint32_t counted_tokens = 0; // the first ones, for the penalties; 0:
                                    // what is there is of no use
};

} // namespace sluice

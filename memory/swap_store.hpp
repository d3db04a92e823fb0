// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/host_slots.hpp"
#include "memory/kv_store.hpp"

namespace sluice {

/// Host memory for the pages of one KV store that are swapped out. Slots that
/// were never used cost no memory.
class swap_store {
public:
  /// @throws contract_violation for a shape that no KV store has;
  ///         memory_error if the memory cannot be had.
  swap_store(const kv_shape& shape, std::uint32_t slots);

  /// Copies a page into a slot, to the byte.
  /// @throws contract_violation for another shape, page or slot.
  void save(const kv_store& store, page_id page, slot_id slot);

  /// Copies a slot into a page, which is then as the page that was saved.
  /// @throws as save().
  void restore(kv_store& store, page_id page, slot_id slot) const;

  std::uint32_t slots() const noexcept { return slots_; }
  std::uint64_t bytes() const noexcept { return memory_.bytes(); }

private:
  std::span<std::byte> bytes_of(const kv_store& store, slot_id slot) const;

  std::uint64_t page_bytes_;
  std::uint32_t slots_;
  mapping memory_;
};

} // namespace sluice

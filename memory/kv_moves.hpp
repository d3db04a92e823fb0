// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/host_slots.hpp"
#include "memory/ledger.hpp"

#include <cstdint>
#include <vector>

namespace sluice {

/// Positions 0 .. tokens - 1 of a sequence must have a page; positions from
/// what is computed on may be written.
struct page_need {
  std::uint64_t sequence = 0;
  std::uint32_t tokens = 0;
};

/// The bytes of a page that a plan must copy before its first row.
struct page_copy {
  page_id from = 0;
  page_id to = 0;
  bool operator==(const page_copy&) const = default;
};

enum class swap_direction : std::uint8_t {
  out, ///< page to slot
  in   ///< slot to page
};

/// A page whose bytes a plan must move before its first row: those that go
/// out first, then those that come in, then the copies.
struct page_swap {
  page_id page = 0;
  slot_id slot = 0;
  swap_direction direction = swap_direction::out;
  bool operator==(const page_swap&) const = default;
};

/// Entries of a sequence's page table from entry `first` on: new, or changed
/// since the grant before. The first grant has all of them.
struct page_delta {
  std::uint64_t sequence = 0;
  std::uint32_t first = 0;
  std::vector<page_id> pages;
  std::vector<page_copy> copies;
};

/// What a sequence found in the cache.
struct adoption {
  std::uint32_t matched_tokens = 0; ///< its first positions need no computing
  std::vector<page_id> pages;       ///< the first grant repeats them
  bool pinned = false; ///< the wish to pin was granted, as far as can be told
};

/// What a sequence used of the pages, for its receipt.
struct page_usage {
  double page_seconds = 0;
  std::uint32_t matched_tokens = 0;
};

/// Pages whose owner nobody knows.
struct stray_owner {
  owner_id owner = no_owner;
  std::uint32_t pages = 0;
};

/// What happened since the start, and how things are.
struct kv_report {
  ledger_counts pages;
  std::uint32_t host_slots = 0;
  std::uint32_t free_host_slots = 0;
  std::uint64_t waste_tokens = 0; ///< positions that have a page but no KV
  /// Of one sequence, past what plans on their way compute.
  std::uint64_t most_waste_tokens = 0;
  std::uint64_t hit_tokens = 0;    ///< that admitted sequences found
  std::uint64_t missed_tokens = 0; ///< that they did not find
  std::uint64_t hits = 0;          ///< sequences that found something
  std::uint64_t misses = 0;
  std::uint64_t evictions = 0;
  std::uint64_t copies = 0;
  std::uint64_t swapped_out_pages = 0;
  std::uint64_t swapped_in_pages = 0;
  std::uint64_t preemptions = 0; ///< for recompute
  std::uint64_t refused_pins = 0;
  std::uint64_t hash_collisions = 0;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/page_pool.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// What a page is used for; a page is in exactly one state, which follows from
/// who has a hold on it. In this order: the first that applies.
enum class page_state : std::uint8_t {
  free,
  active,    ///< sequences hold it
  in_flight, ///< given back, but an unfinished plan may still touch it
  pinned,    ///< nobody holds it, and it must stay in the cache
  cached,    ///< nobody holds it; may be evicted
  swapped    ///< its bytes lie in host memory: not one of the pool
};

/// "free", "active", ...
std::string_view name(page_state state);

/// Who holds a page, e.g. a sequence's key.
using owner_id = std::uint64_t;
inline constexpr owner_id no_owner = ~owner_id{0};

/// Pages per state.
struct ledger_counts {
  std::uint32_t free = 0;
  std::uint32_t active = 0;
  std::uint32_t cached = 0;
  std::uint32_t pinned = 0;
  std::uint32_t in_flight = 0;
  std::uint32_t swapped = 0; ///< in host memory, beside the pool

  /// Pages of the pool, that is all but the swapped ones.
  std::uint32_t sum() const {
    return free + active + cached + pinned + in_flight;
  }
  std::uint32_t& of(page_state state);
  bool operator==(const ledger_counts&) const = default;
};

/// All holds on one page, as one of the two books has them.
struct page_account {
  std::uint32_t free = 0;      ///< times in the free list
  std::uint32_t active = 0;    ///< sequences
  std::uint32_t in_flight = 0; ///< holders that left before their plans ended
  bool cached = false;         ///< the prefix index knows its content
  bool pinned = false;
  owner_id owners = 0; ///< sum of the holders' keys: of one holder, its key

  static page_account unused() { return {.free = 1}; }
  static page_account held_by(owner_id owner) {
    return {.active = 1, .owners = owner};
  }

  std::uint32_t holders() const { return active + in_flight; }
  /// The only holder, or no_owner.
  owner_id owner() const { return holders() == 1 ? owners : no_owner; }
  page_state state() const;
  /// Free or in use, not both and not neither.
  bool is_possible() const;
  bool operator==(const page_account&) const = default;
};

/// A page on which the books disagree, or that both have wrong.
struct discrepancy {
  page_id page = 0;
  page_account recorded;        ///< by the page's own record
  page_account listed;          ///< by the free list and the holders' lists
  std::vector<owner_id> owners; ///< everybody whom either book names
};

/// One line for a log: "page 7: recorded free, listed as active of 3; owners
/// 3".
std::string describe(const discrepancy& problem);

} // namespace sluice

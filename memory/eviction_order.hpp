// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/instant.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>

namespace sluice {

/// How much a cached block is worth keeping.
struct retention {
  std::int32_t priority = 0; ///< higher stays longer
  instant keep_until{};      ///< evicted before then only if all else is gone
  bool pin = false;          ///< the prompt's pages stay, within the quota
};

/// Which of the blocks that may be evicted goes first: the lowest priority,
/// then the least recently used. Blocks that a client asked to keep until an
/// instant come after all others, the one that ends first foremost.
class eviction_order {
public:
  using block = std::uint64_t;

  /// A block may be evicted from now on; one that is here already moves.
  void add(block which, instant used, const retention& worth);

  /// A block may not be evicted; strangers are ignored.
  void remove(block which);

  /// Takes the next one out. Amortised O(log n).
  std::optional<block> pop(instant now);

  std::size_t size() const noexcept { return entries_.size(); }
  bool contains(block which) const { return entries_.contains(which); }

private:
  struct entry {
    instant used{};
    std::int32_t priority = 0;
    instant keep_until{};
    bool kept = true;
  };
  using rank = std::tuple<std::int32_t, instant, block>; // priority, used
  using term = std::tuple<instant, instant, block>;      // keep_until, used

  void end_terms(instant now);

  std::unordered_map<block, entry> entries_;
  std::set<rank> ordinary_;
  std::set<term> kept_; // asked to be kept until an instant to come
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "actors/policy/cost_model.hpp"

namespace sluice::policy {

/// How a sequence gives its pages up.
enum class give_way : std::uint8_t {
  recompute, // its KV is dropped and computed again
  swap       // its KV waits in host memory
};

/// A sequence that holds pages, or a group of them.
struct page_holder {
  std::uint64_t sequence = 0;
  std::int32_t priority = 0;        // of its request; higher is dearer
  std::uint64_t admitted = 0;       // order of admission; later gives way first
  std::uint32_t pages = 0;          // that come free if it gives way
  std::uint32_t sequences = 1;      // that grow
  std::uint32_t context_tokens = 0; // positions that it has computed
  std::uint32_t cached_tokens = 0;  // of them, those a cache would keep
  std::uint32_t progress = 0;       // positions since it started or came back
  bool movable = true;              // false: a plan on its way names it
  bool can_swap = true;             // false: its KV can only be computed again
};

/// A sequence, or a group, that gave way and wants to go on.
struct page_seeker {
  std::uint64_t sequence = 0;
  std::int32_t priority = 0;
  std::uint64_t admitted = 0;
  std::uint32_t pages = 0; // that it needs to go on
  std::uint32_t sequences = 1;
};

/// What the choice depends on beside the sequences.
struct preemption_rules {
  std::uint32_t page_tokens = 16;
  std::uint64_t page_bytes = 0;
  double swap_bytes_per_second = 0; // one way; 0: there is no swap
  std::uint32_t swap_pages = 0;     // free in host memory
  // What a sequence computes before it may be asked to give way again.
  std::uint32_t least_progress = 64;
};

struct victim {
  std::uint64_t sequence = 0;
  give_way how = give_way::recompute;
  std::uint32_t pages = 0;
};

/// Time that it costs to bring a sequence back by computing its context again,
/// as chunks in steps that run anyway.
instant recompute_time(const page_holder& holder, const cost_model& costs);

/// Time to copy its pages out and in again.
/// @pre rules.swap_bytes_per_second > 0.
instant swap_time(const page_holder& holder, const preemption_rules& rules);

/// Who gives way so that at least @p missing pages come free: the lowest
/// priority, then the latest admitted; sequences that have not made
/// `least_progress` since they came back only after all others. The highest
/// ranked is never asked, so somebody always comes to an end.
/// @return in the order of their giving way; fewer pages than asked if there
///         are no more.
std::vector<victim> choose_victims(std::span<const page_holder> holders,
                                   std::uint32_t missing,
                                   const preemption_rules& rules,
                                   const cost_model& costs);

/// Who may go on, the highest ranked first and none before it: there must be
/// pages for the sequence, and for it and each running one to make
/// `least_progress`. With nothing running the first only needs its own pages.
/// While anybody seeks pages, nothing new should be admitted.
/// @param running  sequences that hold pages and grow.
std::vector<std::uint64_t> choose_returns(std::span<const page_seeker> seekers,
                                          std::uint32_t free_pages,
                                          std::uint32_t running,
                                          const preemption_rules& rules);

} // namespace sluice::policy

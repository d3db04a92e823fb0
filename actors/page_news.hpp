// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "actors/policy/lane_schedule.hpp"
#include "messages/lane_generated.h"

namespace sluice::actors {

/// A sequence that wishes to enter its lane.
struct page_applicant {
  policy::entry_wish wish;
  const messages::Work* work = nullptr;
  std::span<const std::uint32_t> tokens; // all that are known
};

/// What the page manager must hear beside the needs of a step.
struct page_news {
  std::vector<messages::PageProgress> progress;
  std::vector<std::uint64_t> release;
  std::vector<std::uint64_t> spoiled;
  std::vector<std::uint64_t> recompute;
  std::vector<std::uint64_t> swap_out;
  std::vector<std::uint64_t> swap_in;
  bool cache_lost = false; // to be told alone

  bool has_moves() const { return !swap_out.empty() || !swap_in.empty(); }
  /// Somebody gives pages back: no need to wait for a step to say so.
  bool is_urgent() const {
    return !release.empty() || !spoiled.empty() || !recompute.empty() ||
           cache_lost;
  }

  /// All has been said.
  /// @param moves  the swaps too.
  void clear(bool moves) {
    progress.clear();
    release.clear();
    spoiled.clear();
    recompute.clear();
    cache_lost = false;
    if (!moves)
      return;
    swap_out.clear();
    swap_in.clear();
  }
};

} // namespace sluice::actors

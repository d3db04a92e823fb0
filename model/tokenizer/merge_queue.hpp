// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace sluice {

/// Positions in ascending order, for pushes that mostly come in that order:
/// they form a run, which costs nothing to keep sorted; the others go to a
/// heap.
class position_queue {
public:
  void push(std::uint32_t position);
  std::optional<std::uint32_t> pop();

private:
  std::vector<std::uint32_t> run_; // ascending from next_
  std::size_t next_ = 0;
  std::vector<std::uint32_t> late_; // smallest first
};

/// Where pairs may merge, lowest rank first and of equal ranks the leftmost.
/// @note O(log n) a push or pop, constant for pushes in ascending order.
class merge_queue {
public:
  struct candidate {
    std::uint32_t rank;
    std::uint32_t position; // of the left symbol
  };

  void push(candidate entry);
  std::optional<candidate> pop();

private:
  struct rank_queue {
    position_queue positions;
    bool waiting = false; // its rank is in ranks_
  };

  std::unordered_map<std::uint32_t, rank_queue> queues_; // by rank
  std::vector<std::uint32_t> ranks_;                     // smallest first
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

/// What two neighbouring symbols become.
struct merge {
  std::uint32_t rank;   // lower merges first; equal ranks merge left to right
  std::uint32_t result; // symbol of the pair
};

/// Pairs of symbols to merges: a hash table with open addressing, because the
/// merge loop does little else than look into it.
class merge_table {
public:
  /// @param expected  number of pairs, for the first allocation.
  explicit merge_table(std::size_t expected = 0);

  /// Adds a pair, or replaces what it had.
  void set(std::uint32_t left, std::uint32_t right, merge value);

  /// @return nullptr if the pair does not merge; valid until the next set().
  const merge* find(std::uint32_t left, std::uint32_t right) const noexcept;

  std::size_t size() const noexcept { return count_; }

private:
  struct slot {
    std::uint32_t left;
    std::uint32_t right;
    merge value; // rank == empty_rank marks a free slot
  };

  static constexpr std::uint32_t empty_rank = 0xFFFFFFFF;

  std::size_t probe(std::uint32_t left, std::uint32_t right) const noexcept;
  void grow(std::size_t capacity);

  std::vector<slot> slots_; // a power of two, at most half full
  std::size_t count_ = 0;
};

} // namespace sluice

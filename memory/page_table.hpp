// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/page_pool.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// The pages of one sequence in order of position: position p lies in page
/// p / page_tokens at offset p % page_tokens.
class page_table {
public:
  /// @param page_tokens  positions per page, > 0.
  explicit page_table(std::uint32_t page_tokens);

  /// Makes room for so many positions: up to there apply() allocates nothing.
  void reserve(std::uint64_t tokens);

  /// Replaces everything from entry `first` on.
  /// @return false, and no change, if that would leave a hole.
  bool apply(std::uint32_t first, std::span<const page_id> pages);

  std::span<const page_id> pages() const noexcept { return pages_; }

  /// Positions that have a page.
  std::uint64_t capacity_tokens() const noexcept {
    return std::uint64_t{pages_.size()} * page_tokens_;
  }

  /// Where a position lies in the store: page * page_tokens + offset.
  /// @param position  below capacity_tokens().
  /// @throws contract_violation for another.
  std::int64_t slot(std::uint32_t position) const;

  /// Pages that so many positions need.
  static std::uint32_t pages_for(std::uint64_t tokens,
                                 std::uint32_t page_tokens);

private:
  std::uint32_t page_tokens_;
  std::vector<page_id> pages_;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::cuda {

/// One page, by its number where it comes from and where it goes to.
struct page_move {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  bool operator==(const page_move&) const = default;
};

/// Moves that one launch carries out: its list is a parameter of the kernel.
inline constexpr std::size_t most_moves_at_once = 256;

/// A launch carries its moves out in no order. The most of the first moves that
/// give the same bytes so as one after the other: none writes a page that
/// another one of them reads or writes.
/// @param one_place  pages come from where they go to, so numbers of both mean
///                   the same pages.
/// @return at most most_moves_at_once, and 0 for no moves only.
/// @note   asks nothing of the heap; linear in what it returns.
std::size_t moves_at_once(std::span<const page_move> moves, bool one_place);

} // namespace sluice::cuda

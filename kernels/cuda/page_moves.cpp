// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/page_moves.hpp"

#include <algorithm>
#include <array>

namespace sluice::cuda {

namespace {

/// What a launch does with each page, in a table of open addresses that two
/// pages a move fill by half.
class page_uses {
public:
  struct use {
    std::uint32_t page = 0;
    bool known = false;
    bool read = false;
    bool written = false;
  };

  use& of(std::uint32_t page) {
    auto at = page * 2654435761u >> shift; // Fibonacci hashing
    while (uses_[at].known && uses_[at].page != page)
      at = (at + 1) % size;
    uses_[at].page = page;
    uses_[at].known = true;
    return uses_[at];
  }

private:
  static constexpr std::uint32_t bits = 10;
  static constexpr std::uint32_t size = 1u << bits;
  static constexpr std::uint32_t shift = 32 - bits;
  static_assert(size >= 4 * most_moves_at_once);

  std::array<use, size> uses_{};
};

/// Adds a move to those that run at once, if it can be one of them.
bool add(page_uses& uses, const page_move& move, bool one_place) {
  auto& to = uses.of(move.to);
  if (to.read || to.written)
    return false;
  if (one_place) {
    auto& from = uses.of(move.from);
    if (from.written)
      return false;
    from.read = true;
  }
  to.written = true;
  return true;
}

} // namespace

std::size_t moves_at_once(std::span<const page_move> moves, bool one_place) {
  page_uses uses;
  std::size_t count = 0;
  while (count < std::min(moves.size(), most_moves_at_once) &&
         add(uses, moves[count], one_place))
    ++count;
  return count;
}

} // namespace sluice::cuda

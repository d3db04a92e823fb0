// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/merge_table.hpp"

#include <bit>

namespace sluice {

merge_table::merge_table(std::size_t expected) {
  grow(std::bit_ceil(2 * expected + 2));
}

std::size_t merge_table::probe(std::uint32_t left,
                               std::uint32_t right) const noexcept {
  const std::uint64_t key = (std::uint64_t{left} << 32) | right;
  const std::size_t mask = slots_.size() - 1;
  const std::uint64_t mixed = (key ^ (key >> 29)) * 0x9E3779B97F4A7C15u;
  std::size_t at = static_cast<std::size_t>(mixed >> 20) & mask;
  while (slots_[at].value.rank != empty_rank &&
         (slots_[at].left != left || slots_[at].right != right))
    at = (at + 1) & mask;
  return at;
}

void merge_table::set(std::uint32_t left, std::uint32_t right, merge value) {
  if (2 * (count_ + 1) > slots_.size())
    grow(2 * slots_.size());
  auto& target = slots_[probe(left, right)];
  count_ += target.value.rank == empty_rank;
  target = {left, right, value};
}

const merge* merge_table::find(std::uint32_t left,
                               std::uint32_t right) const noexcept {
  const auto& found = slots_[probe(left, right)];
  return found.value.rank == empty_rank ? nullptr : &found.value;
}

void merge_table::grow(std::size_t capacity) {
  std::vector<slot> old(capacity, slot{0, 0, {empty_rank, 0}});
  old.swap(slots_);
  for (const auto& entry : old)
    if (entry.value.rank != empty_rank)
      slots_[probe(entry.left, entry.right)] = entry;
}

} // namespace sluice

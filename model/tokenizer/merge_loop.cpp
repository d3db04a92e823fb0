// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/merge_loop.hpp"

#include <algorithm>
#include <cstddef>

namespace sluice {

namespace {

constexpr std::uint32_t none = 0xFFFFFFFF;
constexpr merge no_merge{none, none};

/// Up to here a scan for the best pair beats a heap.
constexpr std::size_t short_piece = 32;

/// std::push_heap keeps the largest first; this makes it the smallest.
constexpr auto later = [](const auto& a, const auto& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
};

} // namespace

void merge_loop::run(std::vector<std::uint32_t>& symbols,
                     const merge_table& table) {
  if (symbols.size() <= short_piece)
    run_short(symbols, table);
  else
    run_long(symbols, table);
}

void merge_loop::run_short(std::vector<std::uint32_t>& symbols,
                           const merge_table& table) {
  const auto pair_at = [&](std::size_t at) {
    const auto* found = at + 1 < symbols.size()
                            ? table.find(symbols[at], symbols[at + 1])
                            : nullptr;
    return found ? *found : no_merge;
  };
  pairs_.resize(symbols.size());
  for (std::size_t at = 0; at < symbols.size(); ++at)
    pairs_[at] = pair_at(at);
  while (symbols.size() > 1) {
    const auto best = std::min_element(
        pairs_.begin(), pairs_.end(),
        [](const merge& a, const merge& b) { return a.rank < b.rank; });
    if (best->rank == none)
      return;
    const auto at = static_cast<std::size_t>(best - pairs_.begin());
    symbols[at] = best->result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    pairs_.erase(best + 1);
    pairs_[at] = pair_at(at);
    if (at > 0)
      pairs_[at - 1] = pair_at(at - 1);
  }
}

void merge_loop::run_long(std::vector<std::uint32_t>& symbols,
                          const merge_table& table) {
  fill(symbols, table);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const auto best = heap_.back();
    heap_.pop_back();
    apply(best, table);
  }
  symbols.clear();
  for (std::uint32_t at = 0; at != none; at = nodes_[at].next)
    symbols.push_back(nodes_[at].symbol);
}

void merge_loop::fill(const std::vector<std::uint32_t>& symbols,
                      const merge_table& table) {
  const auto count = static_cast<std::uint32_t>(symbols.size());
  nodes_.resize(count);
  heap_.clear();
  for (std::uint32_t at = 0; at < count; ++at) {
    nodes_[at] = {symbols[at], at - 1, at + 1 < count ? at + 1 : none};
    if (at + 1 == count)
      continue;
    if (const auto* found = table.find(symbols[at], symbols[at + 1]))
      heap_.push_back({found->rank, at, found->result});
  }
  std::make_heap(heap_.begin(), heap_.end(), later);
}

void merge_loop::apply(candidate best, const merge_table& table) {
  auto& left = nodes_[best.position];
  if (left.symbol == none || left.next == none)
    return;
  auto& right = nodes_[left.next];
  const auto* current = table.find(left.symbol, right.symbol);
  if (!current || current->result != best.result)
    return; // one of the two has merged with another since
  left.symbol = best.result;
  left.next = right.next;
  right.symbol = none;
  if (left.next != none)
    nodes_[left.next].previous = best.position;
  if (left.previous != none)
    push(left.previous, table);
  push(best.position, table);
}

void merge_loop::push(std::uint32_t position, const merge_table& table) {
  const auto& left = nodes_[position];
  if (left.next == none)
    return;
  const auto* found = table.find(left.symbol, nodes_[left.next].symbol);
  if (!found)
    return;
  heap_.push_back({found->rank, position, found->result});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

} // namespace sluice

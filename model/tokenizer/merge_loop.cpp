// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/merge_loop.hpp"

#include <algorithm>
#include <cstddef>

namespace sluice {

namespace {

constexpr std::uint32_t none = 0xFFFFFFFF;
constexpr merge no_merge{none, none};

/// Up to here a scan for the best pair beats the queue.
constexpr std::size_t short_piece = 32;

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
  while (const auto best = queue_.pop())
    apply(*best, table);
  symbols.clear();
  for (std::uint32_t at = 0; at != none; at = nodes_[at].next)
    symbols.push_back(nodes_[at].symbol);
}

void merge_loop::fill(const std::vector<std::uint32_t>& symbols,
                      const merge_table& table) {
  const auto count = static_cast<std::uint32_t>(symbols.size());
  nodes_.resize(count);
  for (std::uint32_t at = 0; at < count; ++at)
    nodes_[at] = {symbols[at], at - 1, at + 1 < count ? at + 1 : none};
  for (std::uint32_t at = 0; at < count; ++at)
    push(at, table);
}

void merge_loop::apply(merge_queue::candidate best, const merge_table& table) {
  auto& left = nodes_[best.position];
  if (left.symbol == none || left.next == none)
    return;
  auto& right = nodes_[left.next];
  const auto* current = table.find(left.symbol, right.symbol);
  if (!current || current->rank != best.rank)
    return; // one of the two has merged with another since
  left.symbol = current->result;
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
  if (const auto* found = table.find(left.symbol, nodes_[left.next].symbol))
    queue_.push({found->rank, position});
}

} // namespace sluice

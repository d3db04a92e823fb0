// SPDX-License-Identifier: Apache-2.0
// What kv_pages keeps for others: adopted on admit(), indexed as it is
// computed, evicted when grants need room.
#include "memory/kv_pages.hpp"

#include "kernels/check.hpp"

#include <algorithm>

namespace sluice {

// -- hits
// ----------------------------------------------------------------------

prefix_match kv_pages::match_of(const sequence_record& s) const {
  const auto most = s.tokens.empty() ? 0 : s.tokens.size() - 1;
  return index_.find(s.root, std::span{s.tokens}.first(most));
}

bool kv_pages::may_pin(std::uint32_t blocks, const prefix_match& match) const {
  const auto is_pinned = [this](page_id page) {
    return ledger_.account(page).pinned;
  };
  // The last page may be a pinned block of which one position is left out.
  const auto known =
      match.pages.begin() + std::min<std::size_t>(blocks, match.pages.size());
  const auto already = std::count_if(match.pages.begin(), known, is_pinned);
  return index_.pinned_pages() + std::uint64_t{blocks} - already <=
         config_.most_pinned_pages;
}

void kv_pages::adopt(std::uint64_t sequence, sequence_record& s) {
  const auto match = match_of(s);
  ledger_.share(sequence, match.pages);
  for (const auto page : match.pages)
    index_.hold(page);
  s.last = match.last;
  s.indexed = match.blocks;
  s.computed = match.tokens;
  s.matched = match.tokens;
  if (s.worth.pin && !may_pin(s.pinned_blocks, match)) {
    s.pinned_blocks = 0;
    ++totals_.refused_pins;
  }
  for (std::uint32_t i = 0; i < match.blocks; ++i)
    note({.node = index_.node_of(match.pages[i])}, i < s.pinned_blocks,
         s.worth);
}

adoption kv_pages::admit(std::uint64_t sequence, const prefix_scope& scope,
                         std::span<const std::uint32_t> tokens,
                         const retention& worth) {
  const auto [at, is_new] = sequences_.try_emplace(sequence);
  require(is_new, "kv_pages: the sequence is known; release it first");
  auto& s = at->second;
  s.root = index_.open(scope);
  s.tokens.assign(tokens.begin(), tokens.end());
  s.worth = worth;
  s.may_share = true;
  if (worth.pin)
    s.pinned_blocks =
        static_cast<std::uint32_t>(tokens.size() / config_.page_tokens);
  adopt(sequence, s);
  totals_.hit_tokens += s.matched;
  totals_.missed_tokens += tokens.size() - s.matched;
  ++(s.matched > 0 ? totals_.hits : totals_.misses);
  const auto pages = ledger_.pages_of(sequence);
  return {s.matched, {pages.begin(), pages.end()}, s.pinned_blocks > 0};
}

// -- what sequences leave
// ----------------------------------------------------------------------

/// Says to the ledger what became of a block.
void kv_pages::note(const prefix_insertion& made, bool pin,
                    const retention& worth) {
  index_.retain(made.node, worth);
  if (made.added)
    ledger_.cache(made.page);
  if (made.replaced)
    ledger_.uncache(*made.replaced);
  if (!pin)
    return;
  if (index_.pin(made.node))
    ledger_.pin(index_.page_of(made.node), true);
  else
    ++totals_.refused_pins;
}

void kv_pages::index_full_pages(std::uint64_t sequence, sequence_record& s) {
  const auto size = config_.page_tokens;
  const auto blocks = std::min<std::size_t>(s.computed, s.tokens.size()) / size;
  if (s.root == no_node || !s.slots.empty() || s.indexed >= blocks)
    return;
  if (!index_.contains(s.last)) { // evicted meanwhile
    s.indexed = 0;
    s.last = s.root;
  }
  for (; s.indexed < blocks; ++s.indexed) {
    const auto tokens =
        std::span{s.tokens}.subspan(std::size_t{s.indexed} * size, size);
    const auto page = ledger_.pages_of(sequence)[s.indexed];
    const auto made = index_.insert(s.last, tokens, page, s.worth);
    if (made.node == no_node)
      return; // a collision: what follows cannot be found
    note(made, s.indexed < s.pinned_blocks, s.worth);
    s.last = made.node;
  }
}

void kv_pages::index_tail(std::uint64_t sequence, const sequence_record& s) {
  const auto start = std::size_t{s.indexed} * config_.page_tokens;
  const auto end = std::min<std::size_t>(s.computed, s.tokens.size());
  if (s.root == no_node || !s.slots.empty() || end <= start ||
      end - start >= config_.page_tokens || !index_.contains(s.last))
    return;
  const auto tokens = std::span{s.tokens}.subspan(start, end - start);
  const auto page = ledger_.pages_of(sequence)[s.indexed];
  note(index_.insert(s.last, tokens, page, s.worth), false, s.worth);
}

// -- what goes
// ----------------------------------------------------------------------

bool kv_pages::make_room(std::uint32_t pages) {
  if (pages > available_pages())
    return false;
  while (ledger_.free_pages() < pages) {
    const auto page = index_.evict(now_);
    if (!page)
      return false; // idle blocks below which a held one lies
    ledger_.uncache(*page);
    ++totals_.evictions;
  }
  return true;
}

void kv_pages::forget(page_id page) {
  for (const auto gone : index_.forget(page))
    ledger_.uncache(gone);
}

void kv_pages::forget_cache() {
  for (page_id page = 0; page < config_.pool_pages; ++page)
    forget(page);
}

/// Cached pages without a holder may be evicted from here on.
void kv_pages::drain_idle() {
  for (const auto page : ledger_.take_idle())
    if (ledger_.account(page).holders() == 0)
      index_.idle(page, now_);
}

void kv_pages::unpin(const prefix_scope& scope,
                     std::span<const std::uint32_t> tokens) {
  const auto root = index_.open(scope);
  const auto match = index_.find(root, tokens);
  for (std::uint32_t i = 0; i < match.blocks; ++i) {
    index_.unpin(index_.node_of(match.pages[i]));
    ledger_.pin(match.pages[i], false);
  }
  index_.close(root);
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
// A sequence's life: from admit() to release(). The cache is in kv_cache.cpp,
// swapping and repairs in kv_pages_moves.cpp.
#include "memory/kv_pages.hpp"

#include "kernels/check.hpp"
#include "memory/page_table.hpp"

#include <algorithm>

namespace sluice {

kv_pages::kv_pages(const kv_pages_config& config)
    : config_{config}, ledger_{config.pool_pages},
      index_{{.page_tokens = config.page_tokens,
              .most_pinned_pages = config.most_pinned_pages,
              .seed = config.hash_seed,
              .hash = config.hash}},
      slots_{config.host_slots} {}

kv_pages::kv_pages(std::uint32_t pool_pages, std::uint32_t page_tokens)
    : kv_pages{kv_pages_config{.pool_pages = pool_pages,
                               .page_tokens = page_tokens}} {}

void kv_pages::advance(instant now) {
  now_ = std::max(now_, now);
  ledger_.advance(now_);
}

kv_pages::sequence_record* kv_pages::find(std::uint64_t sequence) {
  const auto found = sequences_.find(sequence);
  return found == sequences_.end() ? nullptr : &found->second;
}

bool kv_pages::fork(std::uint64_t parent, std::uint64_t child,
                    std::uint32_t tokens) {
  auto* from = find(parent);
  if (!from || find(child) || !from->slots.empty() || tokens > from->computed)
    return false;
  from->may_share = true;
  auto& to = sequences_[child];
  to = *find(parent); // the map may have moved
  to.tokens.resize(std::min<std::size_t>(tokens, to.tokens.size()));
  to.computed = to.planned = tokens;
  to.matched = tokens;
  to.told = 0;
  const auto full = tokens / config_.page_tokens;
  if (full < to.indexed) {
    to.indexed = 0; // the next computed() finds the blocks again
    to.last = to.root;
  }
  if (to.root != no_node)
    index_.reopen(to.root);
  const auto pages = page_table::pages_for(tokens, config_.page_tokens);
  const auto parents = ledger_.pages_of(parent).first(pages);
  const std::vector<page_id> shared{parents.begin(), parents.end()};
  ledger_.share(child, shared);
  return true;
}

// -- grants
// ----------------------------------------------------------------------

/// No other sequence sees what is written to the page. Those that left may
/// still read or write it in plans on their way, which are done before the plan
/// that is granted now begins.
bool kv_pages::is_private(page_id page) const {
  const auto& account = ledger_.account(page);
  return account.active == 1 && !account.cached;
}

kv_pages::entries kv_pages::shared_entries(const sequence_record& s,
                                           const page_need& need) const {
  entries result;
  if (!s.may_share || need.tokens <= s.computed)
    return result;
  const auto table = ledger_.pages_of(need.sequence);
  const auto end = std::min<std::size_t>(
      table.size(), page_table::pages_for(need.tokens, config_.page_tokens));
  for (auto entry = s.computed / config_.page_tokens; entry < end; ++entry)
    if (!is_private(table[entry]))
      result.push_back(entry);
  return result;
}

/// A cached page that only this sequence holds need not be copied when there is
/// no room for a copy: it leaves the cache and is written in place. Without
/// this, a prompt that fills the pool could never be answered from the cache.
bool kv_pages::make_room_or_take_over(const page_need& need,
                                      std::uint32_t fresh, entries& shared) {
  const auto lacking = fresh + static_cast<std::uint32_t>(shared.size());
  if (make_room(lacking))
    return true;
  if (shared.empty() || lacking - 1 > available_pages())
    return false;
  const auto page = ledger_.pages_of(need.sequence)[shared.front()];
  const auto& account = ledger_.account(page);
  if (account.active != 1 || account.pinned)
    return false;
  forget(page);
  shared.erase(shared.begin());
  return make_room(lacking - 1);
}

std::vector<page_copy> kv_pages::copy_shared(const page_need& need,
                                             const entries& shared) {
  std::vector<page_copy> copies;
  for (const auto entry : shared) {
    const auto from = ledger_.pages_of(need.sequence)[entry];
    const auto to = ledger_.renew(need.sequence, entry);
    require(to.has_value(), "kv_pages: make_room() promised a page");
    copies.push_back({from, *to});
  }
  totals_.copies += copies.size();
  drain_idle();
  return copies;
}

std::uint32_t kv_pages::wanted(const page_need& need) const {
  const auto found = sequences_.find(need.sequence);
  const auto needed = page_table::pages_for(need.tokens, config_.page_tokens);
  const auto held =
      static_cast<std::uint32_t>(ledger_.pages_of(need.sequence).size());
  const auto fresh = needed > held ? needed - held : 0;
  if (found == sequences_.end())
    return fresh;
  return fresh +
         static_cast<std::uint32_t>(shared_entries(found->second, need).size());
}

std::optional<page_delta> kv_pages::grant(const page_need& need,
                                          std::uint64_t plan) {
  const auto [at, is_new] = sequences_.try_emplace(need.sequence);
  auto& s = at->second;
  const auto needed = page_table::pages_for(need.tokens, config_.page_tokens);
  const auto held =
      static_cast<std::uint32_t>(ledger_.pages_of(need.sequence).size());
  const auto fresh = needed > held ? needed - held : 0;
  auto shared = shared_entries(s, need);
  if (!s.slots.empty() || !make_room_or_take_over(need, fresh, shared)) {
    if (is_new)
      sequences_.erase(at);
    return std::nullopt;
  }
  ledger_.claim(need.sequence, fresh);
  ledger_.mark_in_flight(need.sequence, plan);
  s.planned = std::max(s.planned, need.tokens);
  if (s.told == 0 || !shared.empty())
    s.moved = plan;
  page_delta delta{need.sequence, s.told, {}, copy_shared(need, shared)};
  if (!shared.empty())
    delta.first = std::min(delta.first, shared.front());
  const auto table = ledger_.pages_of(need.sequence);
  delta.pages.assign(table.begin() + delta.first, table.end());
  s.told = static_cast<std::uint32_t>(table.size());
  return delta;
}

// -- progress
// ----------------------------------------------------------------------

void kv_pages::extend(std::uint64_t sequence,
                      std::span<const std::uint32_t> tokens) {
  auto* s = find(sequence);
  if (s && s->root != no_node)
    s->tokens.insert(s->tokens.end(), tokens.begin(), tokens.end());
}

void kv_pages::computed(std::uint64_t sequence, std::uint32_t tokens) {
  auto* s = find(sequence);
  if (!s)
    return;
  const auto pages = ledger_.pages_of(sequence).size() + s->slots.size();
  const auto room = std::uint64_t{pages} * config_.page_tokens;
  s->computed = std::max(
      s->computed,
      static_cast<std::uint32_t>(std::min<std::uint64_t>(tokens, room)));
  index_full_pages(sequence, *s);
}

void kv_pages::truncate(std::uint64_t sequence, std::uint32_t tokens) {
  auto* s = find(sequence);
  if (!s)
    return;
  s->tokens.resize(std::min<std::size_t>(s->tokens.size(), tokens));
  s->computed = std::min(s->computed, tokens);
  s->planned = std::min(s->planned, tokens);
  s->may_share = true;
  if (tokens / config_.page_tokens < s->indexed) {
    s->indexed = 0;
    s->last = s->root;
    index_full_pages(sequence, *s);
  }
  const auto keep = page_table::pages_for(tokens, config_.page_tokens);
  ledger_.shorten(sequence, keep);
  s->told = std::min(s->told, keep);
  drain_idle();
}

void kv_pages::close(sequence_record& s) {
  if (!s.slots.empty())
    slots_.give_back(std::move(s.slots), s.moved.value_or(0));
  if (s.root != no_node)
    index_.close(s.root);
}

page_usage kv_pages::release(std::uint64_t sequence) {
  auto* s = find(sequence);
  if (!s)
    return {};
  const auto used = usage(sequence);
  index_tail(sequence, *s);
  ledger_.release(sequence);
  close(*s);
  sequences_.erase(sequence);
  drain_idle();
  return used;
}

page_usage kv_pages::discard(std::uint64_t sequence) {
  auto* s = find(sequence);
  if (!s)
    return {};
  const auto table = ledger_.pages_of(sequence);
  const std::vector<page_id> pages{table.begin(), table.end()};
  for (const auto page : pages)
    if (ledger_.account(page).active == 1)
      forget(page);
  s->computed = 0;
  return release(sequence);
}

page_usage kv_pages::preempt(std::uint64_t sequence) {
  totals_.preemptions += sequences_.contains(sequence);
  return release(sequence);
}

// -- answers
// ----------------------------------------------------------------------

page_usage kv_pages::usage(std::uint64_t sequence) const {
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end())
    return {};
  return {ledger_.page_seconds(sequence), found->second.matched};
}

bool kv_pages::is_swapped(std::uint64_t sequence) const {
  const auto found = sequences_.find(sequence);
  return found != sequences_.end() && !found->second.slots.empty();
}

ledger_counts kv_pages::counts() const {
  auto result = ledger_.counts();
  result.swapped = slots_.used();
  return result;
}

kv_report kv_pages::report() const {
  auto result = totals_;
  result.pages = counts();
  result.host_slots = slots_.size();
  result.free_host_slots = slots_.free();
  result.hash_collisions = index_.collisions();
  for (const auto& [sequence, s] : sequences_) {
    const auto room =
        std::uint64_t{ledger_.pages_of(sequence).size()} * config_.page_tokens;
    result.waste_tokens += room - std::min<std::uint64_t>(room, s.computed);
    const auto used = std::max(s.computed, s.planned);
    result.most_waste_tokens = std::max(
        result.most_waste_tokens, room - std::min<std::uint64_t>(room, used));
  }
  return result;
}

} // namespace sluice

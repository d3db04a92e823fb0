// SPDX-License-Identifier: Apache-2.0
// What kv_pages moves to host memory and back, and how it ends a dispute.
#include "memory/kv_pages.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

std::vector<page_swap> moves(std::span<const page_id> pages,
                             std::span<const slot_id> slots,
                             swap_direction direction) {
  std::vector<page_swap> result;
  result.reserve(pages.size());
  for (std::size_t i = 0; i < pages.size(); ++i)
    result.push_back({pages[i], slots[i], direction});
  return result;
}

} // namespace

std::optional<std::vector<page_swap>> kv_pages::swap_out(std::uint64_t sequence,
                                                         std::uint64_t plan) {
  auto* s = find(sequence);
  const auto pages = ledger_.pages_of(sequence);
  // What the same plan brings or copies would be saved before it is there.
  if (!s || pages.empty() || s->told == 0 || s->moved >= plan)
    return std::nullopt;
  auto slots = slots_.take(static_cast<std::uint32_t>(pages.size()));
  if (!slots)
    return std::nullopt;
  auto result = moves(pages, *slots, swap_direction::out);
  ledger_.mark_in_flight(sequence, plan);
  ledger_.shorten(sequence, 0); // the account of page-seconds goes on
  s->slots = std::move(*slots);
  s->moved = plan;
  s->told = 0;
  totals_.swapped_out_pages += result.size();
  drain_idle();
  return result;
}

/// Pages of a swapped sequence that the cache still has need not come back.
/// @return how many.
std::uint32_t kv_pages::share_cached_blocks(std::uint64_t sequence,
                                            sequence_record& s) {
  if (s.root == no_node)
    return 0;
  const auto end = std::min<std::size_t>(s.computed, s.tokens.size());
  const auto match = index_.find(s.root, std::span{s.tokens}.first(end));
  const auto pages = std::span{match.pages}.first(match.blocks);
  ledger_.share(sequence, pages);
  for (const auto page : pages)
    index_.hold(page);
  s.indexed = match.blocks;
  s.last = match.last;
  return match.blocks;
}

std::optional<std::vector<page_swap>> kv_pages::swap_in(std::uint64_t sequence,
                                                        std::uint64_t plan) {
  auto* s = find(sequence);
  if (!s || s->slots.empty() || s->moved >= plan)
    return std::nullopt;
  const auto known = share_cached_blocks(sequence, *s);
  const auto slots = std::span{s->slots}.subspan(known);
  const auto count = static_cast<std::uint32_t>(slots.size());
  if (!make_room(count)) {
    ledger_.shorten(sequence, 0);
    drain_idle();
    return std::nullopt;
  }
  const auto pages = ledger_.claim(sequence, count);
  ledger_.mark_in_flight(sequence, plan);
  auto result = moves(*pages, slots, swap_direction::in);
  slots_.give_back(std::exchange(s->slots, {}), plan);
  s->moved = plan;
  totals_.swapped_in_pages += result.size();
  return result;
}

void kv_pages::plans_done(std::uint64_t plan) {
  ledger_.settle(plan);
  slots_.settle(plan);
  drain_idle();
}

std::vector<std::uint64_t> kv_pages::repair() {
  auto [owners, pages] = ledger_.repair();
  for (const auto page : pages)
    forget(page);
  for (const auto owner : owners)
    if (auto* s = find(owner)) {
      close(*s);
      sequences_.erase(owner);
    }
  drain_idle();
  return owners;
}

void kv_pages::take_back(owner_id stray) {
  discard(stray);
  ledger_.release(stray);
  drain_idle();
}

std::vector<stray_owner>
kv_pages::strays(std::span<const std::uint64_t> living) const {
  std::vector<std::uint64_t> known{living.begin(), living.end()};
  std::sort(known.begin(), known.end());
  std::vector<stray_owner> result;
  const auto report = [&](std::uint64_t owner, std::size_t pages) {
    if (pages > 0 && !std::binary_search(known.begin(), known.end(), owner))
      result.push_back({owner, static_cast<std::uint32_t>(pages)});
  };
  for (const auto owner : ledger_.owners())
    report(owner, ledger_.pages_of(owner).size());
  for (const auto& [sequence, s] : sequences_)
    report(sequence, s.slots.size());
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.owner < b.owner; });
  return result;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "actors/kv_page_manager.hpp"

#include <algorithm>

#include "actors/guard.hpp"
#include "messages/each.hpp"

namespace sluice::actors {
namespace {

using messages::each;

template <class T>
flatbuffers::Offset<flatbuffers::Vector<const T*>>
pack_structs(flatbuffers::FlatBufferBuilder& to, const std::vector<T>& list) {
  return list.empty() ? 0 : to.CreateVectorOfStructs(list.data(), list.size());
}

flatbuffers::Offset<flatbuffers::Vector<std::uint64_t>>
pack_keys(flatbuffers::FlatBufferBuilder& to,
          const std::vector<std::uint64_t>& list) {
  return list.empty() ? 0 : to.CreateVector(list.data(), list.size());
}

std::span<const std::uint32_t> tokens_of(const messages::PageAdmission& comer) {
  if (!comer.tokens())
    return {};
  return {comer.tokens()->data(), comer.tokens()->size()};
}

} // namespace

kv_page_manager_state::kv_page_manager_state(
    kv_page_manager_actor::pointer self)
    : self_{self} {}

void kv_page_manager_state::configure(const kv_page_manager_config& config) {
  config_ = config;
  pages_ = std::make_unique<kv_pages>(
      kv_pages_config{.pool_pages = config.pool_pages,
                      .page_tokens = config.page_tokens,
                      .host_slots = config.host_slots,
                      .most_pinned_pages = config.most_pinned_pages,
                      .hash_seed = config.hash_seed});
}

frame<messages::PageGrant>
kv_page_manager_state::grant(frame<messages::PageRequest> news) {
  granted_.clear();
  waiting_.clear();
  lost_.clear();
  admitted_.clear();
  usage_.clear();
  copies_.clear();
  swaps_out_.clear();
  swaps_in_.clear();
  no_host_room_.clear();
  still_swapped_.clear();
  wanted_ = 0;
  settle(*news);
  if (news->can_move()) {
    move_out(*news);
    move_in(*news);
  }
  admit_others(*news);
  serve(*news);
  audit(*news);
  verify();
  return answer(*news);
}

// -- what has happened
// ----------------------------------------------------------------------

void kv_page_manager_state::settle(const request& news) {
  pages_->advance(self_->clock().now().time_since_epoch());
  note_progress(news);
  fork_siblings(news); // before their parent goes
  let_go(news);
  if (news.cache_lost())
    pages_->forget_cache();
  pages_->plans_done(news.finished_plan());
}

void kv_page_manager_state::note_progress(const request& news) {
  each(news.progress(), [this](const messages::PageProgress* row) {
    if (const auto token = static_cast<std::uint32_t>(row->token());
        row->token() >= 0)
      pages_->extend(row->sequence(), {&token, 1});
    pages_->computed(row->sequence(), row->computed());
  });
}

void kv_page_manager_state::let_go(const request& news) {
  each(news.spoiled(), [this](std::uint64_t sequence) {
    release(sequence, pages_->discard(sequence));
  });
  each(news.release(), [this](std::uint64_t sequence) {
    release(sequence, pages_->release(sequence));
  });
  each(news.recompute(), [this](std::uint64_t sequence) {
    release(sequence, pages_->preempt(sequence));
  });
}

void kv_page_manager_state::release(std::uint64_t sequence, page_usage used) {
  usage_.emplace_back(sequence, used.page_seconds);
}

// -- who comes
// ----------------------------------------------------------------------

void kv_page_manager_state::fork_siblings(const request& news) {
  each(news.admit(), [this](const messages::PageAdmission* child) {
    if (child->parent() == 0)
      return;
    if (const auto shared = share_with(*child); shared > 0)
      admitted_.emplace_back(child->sequence(), shared);
  });
}

/// @return positions that it shares with its parent; 0: the parent is gone.
std::uint32_t
kv_page_manager_state::share_with(const messages::PageAdmission& child) {
  const auto tokens = tokens_of(child);
  const auto most =
      std::min<std::size_t>(child.most_cached(), tokens.size() - 1);
  const auto shared = static_cast<std::uint32_t>(most);
  if (shared == 0 || !pages_->fork(child.parent(), child.sequence(), shared))
    return 0;
  pages_->extend(child.sequence(), tokens.subspan(shared));
  return shared;
}

void kv_page_manager_state::admit_others(const request& news) {
  const auto is_in = [this](std::uint64_t sequence) {
    return std::any_of(
        admitted_.begin(), admitted_.end(),
        [sequence](const auto& match) { return match.sequence() == sequence; });
  };
  each(news.admit(), [&](const messages::PageAdmission* comer) {
    if (!is_in(comer->sequence()))
      admitted_.emplace_back(comer->sequence(), admit(*comer));
  });
}

std::uint32_t
kv_page_manager_state::admit(const messages::PageAdmission& comer) {
  if (!config_.prefix_cache)
    return 0; // its first grant makes it known
  auto scope = config_.scope;
  if (comer.tenant())
    scope.tenant = comer.tenant()->str();
  const auto tokens = tokens_of(comer);
  if (comer.unpin())
    pages_->unpin(scope, tokens);
  retention worth{.priority = comer.priority(), .pin = comer.pin()};
  if (comer.keep_cached_ms() > 0)
    worth.keep_until = self_->clock().now().time_since_epoch() +
                       std::chrono::milliseconds{comer.keep_cached_ms()};
  // Nothing past most_cached may be found: it is told afterwards.
  const auto visible = std::min<std::size_t>(
      tokens.size(), std::size_t{comer.most_cached()} + 1);
  const auto found =
      pages_->admit(comer.sequence(), scope, tokens.first(visible), worth);
  pages_->extend(comer.sequence(), tokens.subspan(visible));
  return found.matched_tokens;
}

// -- what moves
// ----------------------------------------------------------------------

void kv_page_manager_state::move_out(const request& news) {
  each(news.swap_out(), [&](std::uint64_t sequence) {
    const auto moves = pages_->swap_out(sequence, news.plan());
    if (!moves) {
      no_host_room_.push_back(sequence);
      release(sequence, pages_->preempt(sequence));
      return;
    }
    for (const auto& move : *moves)
      swaps_out_.emplace_back(move.page, move.slot);
  });
}

void kv_page_manager_state::move_in(const request& news) {
  each(news.swap_in(), [&](std::uint64_t sequence) {
    const auto moves = pages_->swap_in(sequence, news.plan());
    if (!moves) {
      still_swapped_.push_back(sequence);
      return;
    }
    for (const auto& move : *moves)
      swaps_in_.emplace_back(move.page, move.slot);
  });
}

void kv_page_manager_state::serve(const request& news) {
  each(news.needs(), [&](const messages::PageNeed* asked) {
    const page_need need{asked->sequence(), asked->tokens()};
    auto given = pages_->grant(need, news.plan());
    if (!given)
      return refuse(need);
    for (const auto& copy : given->copies)
      copies_.emplace_back(copy.from, copy.to);
    if (!given->pages.empty())
      granted_.push_back(std::move(*given));
  });
}

void kv_page_manager_state::refuse(const page_need& need) {
  waiting_.push_back(need.sequence);
  wanted_ += pages_->wanted(need);
}

// -- what must hold
// ----------------------------------------------------------------------

/// Pages of somebody whom nobody knows are a leak: it is named and mended.
void kv_page_manager_state::audit(const request& news) {
  if (!news.audited())
    return;
  std::vector<std::uint64_t> living;
  each(news.living(), [&](std::uint64_t key) { living.push_back(key); });
  for (const auto& stray : pages_->strays(living)) {
    spdlog::error("kv_page_manager: sequence {} is gone and had {} pages; they "
                  "are taken back",
                  stray.owner, stray.pages);
    pages_->take_back(stray.owner);
    lost_.push_back(stray.owner);
  }
}

// A discrepancy costs the sequences that it names, never the daemon. The sums
// are compared at every step; the full check is for tests and for when they
// differ.
void kv_page_manager_state::verify() {
  if (pages_->sums_agree() && !config_.check_every_step)
    return;
  const auto problems = pages_->check();
  if (problems.empty())
    return;
  for (const auto& problem : problems)
    spdlog::error("kv_page_manager: {}", describe(problem));
  const auto losers = pages_->repair();
  lost_.insert(lost_.end(), losers.begin(), losers.end());
}

// -- the answer
// ----------------------------------------------------------------------

messages::PageCounts
kv_page_manager_state::counts_of(const kv_report& now) const {
  return {now.pages.free,       now.pages.active,
          now.pages.cached,     now.pages.pinned,
          now.pages.in_flight,  now.pages.swapped,
          now.free_host_slots,  pages_->available_pages() - now.pages.free,
          now.waste_tokens,     now.hit_tokens,
          now.missed_tokens,    now.evictions,
          now.copies,           now.swapped_out_pages,
          now.swapped_in_pages, now.preemptions,
          now.refused_pins};
}

frame<messages::PageGrant> kv_page_manager_state::answer(const request& news) {
  auto& to = grants_.begin();
  std::vector<flatbuffers::Offset<messages::PageDelta>> deltas;
  for (const auto& given : granted_)
    deltas.push_back(messages::CreatePageDeltaDirect(
        to, given.sequence, given.first, &given.pages));
  const auto granted = deltas.empty() ? 0 : to.CreateVector(deltas);
  const auto waiting = pack_keys(to, waiting_);
  const auto lost = pack_keys(to, lost_);
  const auto admitted = pack_structs(to, admitted_);
  const auto usage = pack_structs(to, usage_);
  const auto swaps_out = pack_structs(to, swaps_out_);
  const auto swaps_in = pack_structs(to, swaps_in_);
  const auto copies = pack_structs(to, copies_);
  const auto no_host_room = pack_keys(to, no_host_room_);
  const auto still_swapped = pack_keys(to, still_swapped_);
  const auto report = pages_->report();
  const auto now = counts_of(report);
  const auto to_come =
      std::uint64_t{now.free()} + now.evictable() + now.in_flight();
  const auto missing = wanted_ - std::min<std::uint64_t>(wanted_, to_come);
  return grants_.finish(messages::CreatePageGrant(
      to, news.lane(), news.plan(), granted, waiting, now.free(), lost,
      admitted, usage, swaps_out, swaps_in, copies, no_host_room, still_swapped,
      static_cast<std::uint32_t>(missing), &now,
      static_cast<std::uint32_t>(report.most_waste_tokens)));
}

ledger_report kv_page_manager_state::report() {
  const auto counts = pages_->counts();
  return {.pool = counts.sum(),
          .free = counts.free,
          .active = counts.active,
          .in_flight = counts.in_flight,
          .cached = counts.cached,
          .pinned = counts.pinned,
          .swapped = counts.swapped};
}

kv_page_manager_actor::behavior_type kv_page_manager(
    kv_page_manager_actor::stateful_pointer<kv_page_manager_state> self,
    kv_page_manager_config config) {
  self->state.configure(config);
  return {guarded(self, &kv_page_manager_state::grant),
          guarded_on<report_atom>(self, &kv_page_manager_state::report)};
}

} // namespace sluice::actors

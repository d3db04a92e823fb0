// SPDX-License-Identifier: Apache-2.0
// From sequences to plans: who enters, who gives way, what pages a step needs.
#include "actors/batcher.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "messages/each.hpp"
#include "messages/error_code.hpp"

namespace sluice::actors {
namespace {

using messages::each;
using messages::ErrorCode;

constexpr std::uint64_t plans_per_audit = 256;

template <class T>
bool any(const flatbuffers::Vector<T>* list) {
  return list && list->size() > 0;
}

std::vector<std::uint64_t>
list_of(const flatbuffers::Vector<std::uint64_t>* list) {
  if (!list)
    return {};
  return {list->begin(), list->end()};
}

std::uint64_t moved_pages(const messages::PageGrant& grant) {
  const auto size = [](const auto* list) { return list ? list->size() : 0; };
  return size(grant.swaps_out()) + size(grant.swaps_in()) +
         size(grant.copies());
}

} // namespace

bool batcher_state::is_alive(std::uint64_t sequence) const {
  const auto found = requests_.find(request_of(sequence));
  return found != requests_.end() &&
         found->second->sequence(index_of(sequence)).alive;
}

// -- the question
// -------------------------------------------------------------------

bool batcher_state::settlement_due() const {
  return pages_.is_urgent() || (told_finished_ < release_barrier_ &&
                                schedule_.finished_plan() >= release_barrier_);
}

void batcher_state::plan_next() {
  if (awaiting_grant_)
    return;
  if (new_life_)
    start_over();
  if (pages_.cache_lost)
    return ask_for_pages({}, {});
  bring_back();
  // Whoever enters does so at once: the step is drafted when it has.
  const auto comers = applicants();
  const bool stalled = stalled_ && schedule_.plans_on_their_way() > 0;
  auto draft = comers.empty() && !stalled ? schedule_.draft(pages_.has_moves())
                                          : std::optional<policy::step_draft>{};
  if (draft || !comers.empty() || settlement_due())
    ask_for_pages(std::move(draft), comers);
}

void batcher_state::bring_back() {
  if (!schedule_.has_room() || pages_.has_moves())
    return;
  for (const auto sequence : pressure_.returns(schedule_))
    if (schedule_.is_swapped(sequence))
      pages_.swap_in.push_back(sequence);
    else
      schedule_.ask_again(sequence);
}

std::vector<page_applicant> batcher_state::applicants() {
  std::vector<page_applicant> all;
  for (const auto& wish : schedule_.wishes())
    all.push_back({wish, &requests_.at(request_of(wish.sequence))->work(),
                   schedule_.tokens(wish.sequence)});
  return all;
}

bool batcher_state::audit_due() {
  if (schedule_.sequences() > 0 && schedule_.next_plan() < next_audit_)
    return false;
  next_audit_ = schedule_.next_plan() + plans_per_audit;
  return true;
}

void batcher_state::ask_for_pages(std::optional<policy::step_draft> draft,
                                  std::span<const page_applicant> comers) {
  told_finished_ = schedule_.finished_plan();
  const bool audited = audit_due();
  const auto living = audited ? schedule_.keys() : std::vector<std::uint64_t>{};
  auto question = frames_.page_request({.draft = draft ? &*draft : nullptr,
                                        .plan = schedule_.next_plan(),
                                        .finished_plan = told_finished_,
                                        .news = pages_,
                                        .applicants = comers,
                                        .living = living,
                                        .audited = audited});
  if (draft) {
    moving_ = pages_.swap_out;
    coming_back_ = pages_.swap_in;
  }
  pages_.clear(draft.has_value());
  draft_ = std::move(draft);
  awaiting_grant_ = true;
  asked_at_ = now();
  for (auto& each : freeing_)
    each.told = told_finished_ >= each.barrier;
  question_ = question;
  self_->send(to_.pages, std::move(question));
}

// -- the answer
// -------------------------------------------------------------------

void batcher_state::granted(frame<messages::PageGrant> grant) {
  awaiting_grant_ = false;
  if (!grant)
    return answer_lost();
  answer_was_lost_ = false;
  note_freed();
  measures_.granted(*grant, now(), schedule_.outside());
  learn_room(*grant);
  each(grant->lost(), [this](std::uint64_t sequence) {
    fail(request_of(sequence), ErrorCode::ledger_discrepancy,
         "the ledger disagrees about this request's pages");
  });
  let_in(*grant);
  settle(*grant); // who could not swap out has been counted by now
  // Before the draft's number is spent: plans may have ended meanwhile.
  const bool up_to_date = told_finished_ == schedule_.finished_plan();
  if (draft_)
    send_plan(*grant);
  draft_.reset();
  if (any(grant->waiting()))
    relieve(*grant, up_to_date);
  publish();
  plan_next();
}

void batcher_state::note_freed() {
  std::erase_if(freeing_, [this](const freeing& each) {
    if (each.told)
      measures_.cancelled_pages_free(now() - each.since);
    return each.told;
  });
}

void batcher_state::learn_room(const messages::PageGrant& grant) {
  const auto* counts = grant.counts();
  news_.free_pages = grant.free_pages();
  news_.evictable_pages = counts ? counts->evictable() : 0;
  pressure_.pool_has({.available = news_.free_pages + news_.evictable_pages,
                      .free_slots = counts ? counts->free_slots() : 0,
                      .anybody_waits = any(grant.waiting())});
}

void batcher_state::settle(const messages::PageGrant& grant) {
  each(grant.usage(), [this](const messages::PageUsage* used) {
    const auto number = request_of(used->sequence());
    if (const auto found = requests_.find(number); found != requests_.end())
      found->second->count_usage(used->page_seconds());
    else
      departures_.count_usage(number, used->page_seconds());
  });
  close(departures_.take_settled());
}

void batcher_state::let_in(const messages::PageGrant& grant) {
  each(grant.admitted(), [this](const messages::PageMatch* match) {
    const auto sequence = match->sequence();
    const auto tokens = static_cast<std::uint32_t>(match->tokens());
    if (!is_alive(sequence))
      return;
    requests_.at(request_of(sequence))->count_entry(index_of(sequence), tokens);
    schedule_.enter(sequence, tokens);
  });
  note_moves(grant);
}

void batcher_state::note_moves(const messages::PageGrant& grant) {
  each(grant.no_host_room(), [this](std::uint64_t sequence) {
    std::erase(moving_, sequence);
    schedule_.give_way(sequence, policy::give_way::recompute);
    drop_pages(sequence);
  });
  each(grant.still_swapped(),
       [this](std::uint64_t sequence) { std::erase(coming_back_, sequence); });
  for (const auto sequence : coming_back_)
    schedule_.come_back(sequence);
  moving_.insert(moving_.end(), coming_back_.begin(), coming_back_.end());
  coming_back_.clear();
  if (const auto pages = moved_pages(grant); pages > 0)
    moves_[grant.plan()] = {std::move(moving_), pages};
  moving_.clear();
}

/// The device forgets a sequence whose pages are gone; it will join anew.
void batcher_state::drop_pages(std::uint64_t sequence) {
  await_usage(request_of(sequence));
  if (!is_alive(sequence))
    return; // it has ended while it was asked for
  auto& request = *requests_.at(request_of(sequence));
  if (std::exchange(request.sequence(index_of(sequence)).joined, false))
    left_.push_back(sequence);
}

void batcher_state::await_usage(std::uint64_t request) {
  if (const auto found = requests_.find(request); found != requests_.end())
    found->second->await_usage();
  else
    departures_.await_usage(request);
}

// -- the plan
// -------------------------------------------------------------------

void batcher_state::send_plan(const messages::PageGrant& grant) {
  const auto waiting = list_of(grant.waiting());
  const bool wanted_rows = !draft_->rows.empty();
  if (!schedule_.confirm(*draft_, waiting, moved_pages(grant) > 0)) {
    stalled_ = wanted_rows && !waiting.empty();
    return;
  }
  if (schedule_.plans_on_their_way() == 1)
    oldest_since_ = now();
  std::vector<std::unique_ptr<messages::SequenceStateT>> joined;
  for (const auto& row : draft_->rows)
    if (auto state = introduce(row))
      joined.push_back(std::move(state));
  std::vector<const messages::PageDelta*> pages;
  each(grant.granted(), [&](const messages::PageDelta* delta) {
    if (is_alive(delta->sequence()))
      pages.push_back(delta);
  });
  self_->send(to_.executor,
              frames_.step_plan(*draft_, {joined, pages, left_, &grant}));
  left_.clear();
}

/// What the executor must know of a sequence that it does not know.
std::unique_ptr<messages::SequenceStateT>
batcher_state::introduce(const policy::planned_row& row) {
  auto& request = *requests_.at(request_of(row.sequence));
  auto& sequence = request.sequence(index_of(row.sequence));
  request.count_step();
  if (std::exchange(sequence.joined, true))
    return nullptr;
  return request.state_of(index_of(row.sequence),
                          schedule_.tokens(row.sequence), row.start);
}

// -- shortage
// -------------------------------------------------------------------

/// Somebody waits for pages: others give way. With no plan on its way none
/// will come by waiting: if nobody can give way, those that wait let others
/// have the step; and if the highest-ranked has no pages then, the pool is
/// smaller than admission was told.
void batcher_state::relieve(const messages::PageGrant& grant, bool up_to_date) {
  if (pages_.is_urgent() || !up_to_date) {
    stalled_ = false; // pages have come free meanwhile: ask again
    return;
  }
  const bool idle = schedule_.plans_on_their_way() == 0;
  const auto missing = std::max(grant.missing_pages(), idle ? 1u : 0u);
  if (missing == 0)
    return;
  auto victims = pressure_.relieve(schedule_, missing);
  if (victims.empty() && idle)
    victims = pressure_.step_back(schedule_, list_of(grant.waiting()));
  stalled_ = stalled_ && victims.empty();
  for (const auto& each : victims) {
    requests_.at(request_of(each.sequence))->count_preemption();
    if (each.how == policy::give_way::swap) {
      pages_.swap_out.push_back(each.sequence);
      continue;
    }
    pages_.recompute.push_back(each.sequence);
    drop_pages(each.sequence);
  }
  if (victims.empty() && idle) {
    spdlog::error("batcher: sequence {} waits for {} pages and nobody can give "
                  "way; {} are free, {} can be evicted, {} are pinned",
                  grant.waiting()->Get(0), grant.missing_pages(),
                  grant.free_pages(), news_.evictable_pages,
                  grant.counts() ? grant.counts()->pinned() : 0);
    fail(request_of(grant.waiting()->Get(0)), ErrorCode::ledger_discrepancy,
         "no pages are left for this request, though nobody else has any");
  }
}

} // namespace sluice::actors

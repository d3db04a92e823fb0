// SPDX-License-Identifier: Apache-2.0
#include "tests/memory/paper_lane.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

namespace sluice::test {

namespace {

void must(bool holds, const std::string& what) {
  if (!holds)
    throw std::logic_error{what};
}

prefix_scope scope_of(std::uint64_t number) {
  return {.weights = "w", .tenant = std::to_string(number)};
}

} // namespace

paper_lane::paper_lane(const kv_pages_config& config, std::uint32_t seed)
    : config_{config}, pages_{config}, device_{config.pool_pages,
                                               config.page_tokens,
                                               config.host_slots},
      random_{seed} {}

std::uint32_t paper_lane::random(std::uint32_t below) {
  return static_cast<std::uint32_t>(random_() % below);
}

paper_lane::iterator paper_lane::any() {
  return std::next(sequences_.begin(),
                   random(static_cast<std::uint32_t>(sequences_.size())));
}

/// Few beginnings and few tokens, so that prompts often have much in common.
std::vector<std::uint32_t> paper_lane::prompt() {
  const auto family = random(3);
  const auto size = 1 + random(5 * config_.page_tokens);
  const auto common = random(size + 1);
  std::vector<std::uint32_t> result;
  for (std::uint32_t i = 0; i < size; ++i)
    result.push_back(i < common ? family + i % 5 : random(2));
  return result;
}

std::vector<std::uint64_t> paper_lane::values(const sequence& s) const {
  std::vector<std::uint64_t> result;
  auto before = s.scope + 1;
  for (const auto token : s.tokens)
    result.push_back(before = kv_of(before, token));
  return result;
}

// -- what sequences do
// ----------------------------------------------------------------------

void paper_lane::admit(std::uint64_t key, sequence s) {
  retention worth{.priority = static_cast<std::int32_t>(random(3)),
                  .pin = random(8) == 0};
  if (random(4) == 0)
    worth.keep_until = now_ + std::chrono::seconds{random(20)};
  s.told = static_cast<std::uint32_t>(s.tokens.size());
  const auto found = pages_.admit(key, scope_of(s.scope), s.tokens, worth);
  must(found.matched_tokens < s.tokens.size(), "the last token is computed");
  s.life = ++lives_;
  s.planned = s.computed = s.needed = found.matched_tokens;
  s.table = found.pages;
  sequences_[key] = std::move(s);
}

void paper_lane::admit_new() {
  const std::uint64_t key = random(16);
  if (sequences_.contains(key))
    return;
  sequence s;
  s.scope = random(2);
  s.tokens = prompt();
  admit(key, std::move(s));
}

void paper_lane::fork() {
  const auto parent = any();
  const std::uint64_t child = random(16);
  const auto tokens = random(parent->second.computed + 1);
  const bool known = sequences_.contains(child);
  const bool swapped = pages_.is_swapped(parent->first);
  const bool forked = pages_.fork(parent->first, child, tokens);
  must(forked == (!known && !swapped), "fork() takes what it should");
  if (!forked)
    return;
  auto s = parent->second;
  s.tokens.resize(tokens);
  s.tokens.push_back(random(2));
  s.tokens.push_back(random(2));
  pages_.extend(child, std::span{s.tokens}.subspan(tokens));
  s.told = tokens + 2;
  s.planned = s.computed = s.needed = tokens;
  s.plans = 0;
  s.page_seconds = 0;
  s.life = ++lives_;
  const auto pages = pages_.pages_of(child);
  s.table.assign(pages.begin(), pages.end());
  sequences_[child] = std::move(s);
}

void paper_lane::release() {
  const auto gone = any();
  const auto used = pages_.release(gone->first);
  must(std::abs(used.page_seconds - gone->second.page_seconds) < 1e-6,
       "page-seconds at the end");
  sequences_.erase(gone);
}

/// The tokens that are known are computed again, under the same key.
void paper_lane::preempt() {
  const auto victim = any();
  const auto key = victim->first;
  auto s = std::move(victim->second);
  sequences_.erase(victim);
  pages_.preempt(key);
  s.tokens.resize(s.told);
  s.plans = 0;
  s.page_seconds = 0;
  if (!s.tokens.empty() && random(4) != 0)
    admit(key, std::move(s));
}

void paper_lane::truncate() {
  const auto at = any();
  auto& s = at->second;
  if (s.plans > 0 || s.computed < 2 || pages_.is_swapped(at->first))
    return;
  const auto keep = 1 + random(s.computed - 1);
  pages_.truncate(at->first, keep);
  s.tokens.resize(keep);
  s.tokens.push_back(random(2));
  pages_.extend(at->first, std::span{s.tokens}.last(1));
  s.told = keep + 1;
  s.planned = s.computed = s.needed = keep;
  const auto pages = pages_.pages_of(at->first);
  s.table.resize(pages.size());
}

void paper_lane::swap_out() {
  const auto at = any();
  const auto moves = pages_.swap_out(at->first, next_.number);
  if (!moves)
    return;
  next_.swaps.insert(next_.swaps.end(), moves->begin(), moves->end());
  at->second.table.clear();
}

void paper_lane::swap_in() {
  const auto at = any();
  const auto moves = pages_.swap_in(at->first, next_.number);
  if (!moves)
    return;
  next_.swaps.insert(next_.swaps.end(), moves->begin(), moves->end());
  const auto pages = pages_.pages_of(at->first);
  at->second.table.assign(pages.begin(), pages.end());
}

void paper_lane::pass_time() {
  const std::chrono::milliseconds passed{random(3000)};
  for (auto& [key, s] : sequences_)
    s.page_seconds += static_cast<double>(pages_.pages_of(key).size()) *
                      std::chrono::duration<double>(passed).count();
  pages_.advance(now_ += passed);
}

// -- plans
// ----------------------------------------------------------------------

void paper_lane::add_row(std::uint64_t key, sequence& s) {
  auto to = s.planned + 1; // a decode: its token is sampled by the plan before
  if (s.planned + 1 < s.told)
    to = std::min(s.told, s.planned + 1 + random(2 * config_.page_tokens));
  const auto ahead = random(4) == 0 ? config_.page_tokens : 0; // look-ahead
  const auto delta = pages_.grant({key, to + ahead}, next_.number);
  if (!delta)
    return;
  must(!pages_.is_swapped(key), "swapped sequences wait");
  s.needed = std::max(s.needed, to + ahead);
  must(delta->first <= s.table.size(), "no hole in a page table");
  s.table.resize(delta->first);
  s.table.insert(s.table.end(), delta->pages.begin(), delta->pages.end());
  next_.copies.insert(next_.copies.end(), delta->copies.begin(),
                      delta->copies.end());
  if (s.tokens.size() < to)
    s.tokens.push_back(random(2)); // what will be sampled
  next_.rows.push_back({key, s.life, s.planned, to, s.table, values(s)});
  s.planned = to;
  ++s.plans;
}

void paper_lane::plan() {
  if (on_their_way_.size() == 2)
    finish_plan();
  for (auto& [key, s] : sequences_)
    if (random(3) != 0 && s.planned < 6 * config_.page_tokens)
      add_row(key, s);
  const auto number = next_.number;
  on_their_way_.push_back(std::exchange(next_, {.number = number + 1}));
}

void paper_lane::finish_plan() {
  if (on_their_way_.empty())
    return;
  const auto done = std::move(on_their_way_.front());
  on_their_way_.pop_front();
  const auto by_life = [this](std::uint64_t life) {
    return std::find_if(
        sequences_.begin(), sequences_.end(),
        [life](const auto& s) { return s.second.life == life; });
  };
  const auto wrong = device_.run(done, [&](std::uint64_t life) {
    return by_life(life) != sequences_.end();
  });
  must(wrong.empty(), wrong);
  for (const auto& row : done.rows) {
    const auto at = by_life(row.life);
    if (at == sequences_.end())
      continue;
    auto& s = at->second;
    if (row.to > s.told) { // the sampled token comes with the result
      pages_.extend(at->first,
                    std::span{s.tokens}.subspan(s.told, row.to - s.told));
      s.told = row.to;
    }
    s.computed = row.to;
    --s.plans;
    pages_.computed(at->first, row.to);
  }
  pages_.plans_done(done.number);
}

void paper_lane::act() {
  const auto what = random(24);
  if (what < 6)
    return plan();
  if (what < 12)
    return finish_plan();
  if (what < 15)
    return admit_new();
  if (what < 17)
    return pass_time();
  if (sequences_.empty())
    return;
  static constexpr void (paper_lane::*deeds[])() = {
      &paper_lane::release,  &paper_lane::preempt,  &paper_lane::fork,
      &paper_lane::truncate, &paper_lane::swap_out, &paper_lane::swap_in,
      &paper_lane::swap_in};
  (this->*deeds[what - 17])();
}

void paper_lane::finish() {
  while (!sequences_.empty()) {
    release();
    verify();
  }
  plan();
  while (!on_their_way_.empty())
    finish_plan();
  verify();
  const auto counts = pages_.counts();
  must(counts.active == 0 && counts.in_flight == 0 && counts.swapped == 0,
       "nobody is left");
}

// -- what must hold
// ----------------------------------------------------------------------

void paper_lane::verify_sequence(std::uint64_t key, const sequence& s) const {
  const auto pages = pages_.pages_of(key);
  must(std::ranges::equal(pages, s.table), "the grants tell the page table");
  must(std::abs(pages_.usage(key).page_seconds - s.page_seconds) < 1e-6,
       "page-seconds");
  const auto room = std::uint64_t{pages.size()} * config_.page_tokens;
  must(room < s.planned + 2 * std::uint64_t{config_.page_tokens},
       "one tail page and one look-ahead page at most");
  must(pages_.is_swapped(key) || room >= s.planned, "rows have pages");
}

void paper_lane::verify_counts() const {
  std::set<page_id> active;
  std::uint64_t waste = 0;
  std::uint64_t most = 0;
  for (const auto& [key, s] : sequences_) {
    active.insert(s.table.begin(), s.table.end());
    const auto room = s.table.size() * std::uint64_t{config_.page_tokens};
    waste += room - std::min<std::uint64_t>(room, s.computed);
    const std::uint64_t used = std::max(s.computed, s.needed);
    most = std::max(most, room - std::min(room, used));
  }
  const auto report = pages_.report();
  const auto& index = pages_.index_for_test();
  must(report.pages.sum() == config_.pool_pages, "the sum is the pool");
  must(report.pages.active == active.size(), "held pages are active");
  must(report.pages.cached == index.idle_pages(), "idle pages are cached");
  must(index.pinned_pages() <= config_.most_pinned_pages, "the pin quota");
  must(report.waste_tokens == waste, "the waste");
  must(report.most_waste_tokens == most, "the most waste of a sequence");
  must(report.pages.swapped + report.free_host_slots <= report.host_slots,
       "slots are used once");
}

/// Nobody else may get a page before the plans that name it are done.
void paper_lane::verify_plans() const {
  const auto in_use = [this](page_id page) {
    must(pages_.books().account(page).free == 0,
         "a plan on its way names a free page");
  };
  for (const auto& plan : on_their_way_) {
    for (const auto& row : plan.rows)
      std::ranges::for_each(row.table, in_use);
    for (const auto& copy : plan.copies)
      in_use(copy.from);
    for (const auto& swap : plan.swaps)
      in_use(swap.page);
  }
}

void paper_lane::verify() const {
  must(pages_.check().empty(), "the books agree");
  must(pages_.sums_agree(), "the sums agree");
  must(pages_.index_for_test().is_sound(), "the index is sound");
  for (const auto& [key, s] : sequences_)
    verify_sequence(key, s);
  verify_counts();
  verify_plans();
}

} // namespace sluice::test

// SPDX-License-Identifier: Apache-2.0
#include "memory/ledger.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <set>

namespace sluice {

std::string_view name(page_state state) {
  switch (state) {
  case page_state::free:
    return "free";
  case page_state::active:
    return "active";
  case page_state::cached:
    return "cached";
  case page_state::pinned:
    return "pinned";
  case page_state::in_flight:
    return "in_flight";
  }
  return "unknown";
}

namespace {

std::uint32_t& count_of(ledger_counts& counts, page_state state) {
  switch (state) {
  case page_state::active:
    return counts.active;
  case page_state::cached:
    return counts.cached;
  case page_state::pinned:
    return counts.pinned;
  case page_state::in_flight:
    return counts.in_flight;
  case page_state::free:
    break;
  }
  return counts.free;
}

std::string text(const page_record& record) {
  auto result = std::string{name(record.state)};
  if (record.owner != no_owner)
    result += " of " + std::to_string(record.owner);
  return result;
}

} // namespace

std::string describe(const discrepancy& problem) {
  return "page " + std::to_string(problem.page) + ": recorded " +
         text(problem.recorded) + ", found " +
         std::to_string(problem.times_found) + " times, last " +
         text(problem.found);
}

/// What the lists say of every page.
struct ledger::tally {
  std::vector<page_record> last;    // [pool]
  std::vector<std::uint32_t> times; // [pool]
  std::set<owner_id> doubtful;      // owners of pages that are found twice

  void see(std::span<const page_id> pages, page_record where) {
    for (const auto page : pages) {
      if (times[page]++ > 0) {
        doubtful.insert(last[page].owner);
        doubtful.insert(where.owner);
      }
      last[page] = where;
    }
  }
};

ledger::ledger(std::uint32_t pool_pages)
    : pool_{pool_pages}, records_(pool_pages) {
  counts_.free = pool_pages;
}

void ledger::record(page_id page, page_record now) {
  --count_of(counts_, records_[page].state);
  records_[page] = now;
  ++count_of(counts_, now.state);
}

std::optional<std::vector<page_id>> ledger::claim(owner_id owner,
                                                  std::uint32_t pages) {
  auto taken = pool_.take(pages);
  if (!taken || pages == 0)
    return taken;
  auto& holding = holdings_[owner];
  for (const auto page : *taken) {
    record(page, {holding.state, owner});
    holding.pages.push_back(page);
  }
  return taken;
}

void ledger::mark_in_flight(owner_id owner, std::uint64_t plan) {
  latest_plan_ = std::max<std::optional<std::uint64_t>>(latest_plan_, plan);
  const auto found = holdings_.find(owner);
  if (found == holdings_.end())
    return;
  auto& last = found->second.last_plan;
  last = std::max<std::optional<std::uint64_t>>(last, plan);
}

void ledger::release(owner_id owner) {
  auto node = holdings_.extract(owner);
  if (node.empty())
    return;
  auto& holding = node.mapped();
  // Nothing is less than any plan: an owner that no plan named is done.
  if (holding.last_plan <= settled_)
    return make_free(holding.pages, {holding.state, owner});
  for (const auto page : holding.pages)
    if (records_[page] == page_record{holding.state, owner})
      record(page, {page_state::in_flight, owner});
  departed_.push_back({owner, holding.last_plan, std::move(holding.pages)});
}

void ledger::settle(std::uint64_t plan) {
  settled_ = std::max<std::optional<std::uint64_t>>(settled_, plan);
  std::erase_if(departed_, [this](const departed& gone) {
    if (gone.last_plan > settled_)
      return false;
    make_free(gone.pages, {page_state::in_flight, gone.owner});
    return true;
  });
}

void ledger::make_free(std::span<const page_id> pages, page_record expected) {
  // A page with another record is disputed: freeing it could hand it to two
  // owners. It stays out of the pool, where check() finds it.
  std::vector<page_id> sound;
  std::copy_if(pages.begin(), pages.end(), std::back_inserter(sound),
               [&](page_id page) { return records_[page] == expected; });
  for (const auto page : sound)
    record(page, {});
  pool_.put_back(sound);
}

void ledger::restate(owner_id owner, page_state state) {
  require(state == page_state::active || state == page_state::cached ||
              state == page_state::pinned,
          "ledger: pages become free or in flight by release() alone");
  const auto found = holdings_.find(owner);
  if (found == holdings_.end())
    return;
  for (const auto page : found->second.pages)
    if (records_[page] == page_record{found->second.state, owner})
      record(page, {state, owner});
  found->second.state = state;
}

std::span<const page_id> ledger::pages_of(owner_id owner) const {
  const auto found = holdings_.find(owner);
  if (found == holdings_.end())
    return {};
  return found->second.pages;
}

ledger::tally ledger::count_holders() const {
  tally result{std::vector<page_record>(records_.size()),
               std::vector<std::uint32_t>(records_.size()),
               {}};
  result.see(pool_.free_list(), {});
  for (const auto& [owner, holding] : holdings_)
    result.see(holding.pages, {holding.state, owner});
  for (const auto& gone : departed_)
    result.see(gone.pages, {page_state::in_flight, gone.owner});
  return result;
}

std::vector<discrepancy> ledger::check() const {
  const auto found = count_holders();
  std::vector<discrepancy> result;
  for (page_id page = 0; page < records_.size(); ++page)
    if (found.times[page] != 1 || found.last[page] != records_[page])
      result.push_back(
          {page, records_[page], found.last[page], found.times[page]});
  return result;
}

std::vector<owner_id> ledger::repair() {
  const auto problems = check();
  if (problems.empty())
    return {};
  auto losers = count_holders().doubtful;
  for (const auto& problem : problems)
    losers.insert({problem.recorded.owner, problem.found.owner});
  losers.erase(no_owner);
  std::erase_if(losers,
                [this](owner_id owner) { return holdings_.erase(owner) == 0; });
  std::erase_if(departed_, [&](const departed& gone) {
    return std::any_of(problems.begin(), problems.end(), [&](const auto& p) {
      return std::count(gone.pages.begin(), gone.pages.end(), p.page) > 0;
    });
  });
  rebuild_records();
  return {losers.begin(), losers.end()};
}

void ledger::rebuild_records() {
  // What nobody undisputed holds may still be written by a plan on its way.
  departed stray{no_owner, latest_plan_, {}};
  const auto found = count_holders();
  counts_ = {};
  std::vector<page_id> free;
  for (page_id page = 0; page < records_.size(); ++page) {
    const bool free_once = found.times[page] == 1 &&
                           found.last[page] == page_record{} &&
                           records_[page] == page_record{};
    const bool held =
        found.times[page] == 1 && found.last[page].state != page_state::free;
    if (free_once)
      free.push_back(page);
    else if (!held)
      stray.pages.push_back(page);
    records_[page] = held        ? found.last[page]
                     : free_once ? page_record{}
                                 : page_record{page_state::in_flight, no_owner};
    ++count_of(counts_, records_[page].state);
  }
  pool_ = page_pool{static_cast<std::uint32_t>(records_.size())};
  pool_.take(pool_.size());
  pool_.put_back(free);
  departed_.push_back(std::move(stray));
  if (settled_)
    settle(*settled_);
}

void ledger::corrupt_for_test(page_id page, page_record wrong) {
  record(page, wrong);
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
// The ledger's comparison of its two books, and what follows from it.
#include "memory/ledger.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace sluice {

/// What the lists say of every page.
struct ledger::tally {
  std::vector<page_account> accounts; // [pool]
  std::set<page_id> repeated;         // twice in one owner's list
};

ledger::tally ledger::count_holders() const {
  tally result{std::vector<page_account>(records_.size()), {}};
  std::vector<owner_id> last_holder(records_.size(), no_owner);
  for (const auto page : pool_.free_list())
    ++result.accounts[page].free;
  for (const auto& [owner, held] : holdings_)
    for (const auto page : held.pages) {
      ++result.accounts[page].active;
      result.accounts[page].owners += owner;
      if (std::exchange(last_holder[page], owner) == owner)
        result.repeated.insert(page);
    }
  for (const auto& [plan, gone] : departed_)
    for (const auto page : gone.pages) {
      ++result.accounts[page].in_flight;
      result.accounts[page].owners += gone.owner;
    }
  for (const auto& [page, pinned] : cached_) {
    result.accounts[page].cached = true;
    result.accounts[page].pinned = pinned;
  }
  return result;
}

std::vector<discrepancy> ledger::check() const {
  const auto found = count_holders();
  std::vector<discrepancy> result;
  for (page_id page = 0; page < records_.size(); ++page) {
    const auto& listed = found.accounts[page];
    if (listed != records_[page] || !listed.is_possible() ||
        found.repeated.contains(page))
      result.push_back({page, records_[page], listed, {}});
  }
  name_owners(result);
  return result;
}

namespace {

/// One hold is missing from the lists and all else agrees: the owner that lost
/// it can be told, and nobody else is concerned.
bool lacks_one_hold(const discrepancy& problem) {
  auto listed = problem.listed;
  const auto& recorded = problem.recorded;
  listed.owners = recorded.owners;
  for (auto* holds : {&listed.active, &listed.in_flight}) {
    ++*holds;
    if (listed == recorded)
      return true;
    --*holds;
  }
  return false;
}

void sort_owners(std::vector<owner_id>& owners) {
  std::sort(owners.begin(), owners.end());
  owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
  std::erase(owners, no_owner);
}

} // namespace

void ledger::name_owners(std::vector<discrepancy>& problems) const {
  std::unordered_map<page_id, discrepancy*> of_page;
  for (auto& problem : problems) {
    if (lacks_one_hold(problem)) {
      problem.owners = {problem.recorded.owners - problem.listed.owners};
      continue;
    }
    of_page[problem.page] = &problem;
    problem.owners.push_back(problem.recorded.owner());
  }
  const auto see = [&of_page](owner_id owner, const auto& pages) {
    for (const auto page : pages)
      if (const auto at = of_page.find(page); at != of_page.end())
        at->second->owners.push_back(owner);
  };
  for (const auto& [owner, held] : holdings_)
    see(owner, held.pages);
  for (const auto& [plan, gone] : departed_)
    see(gone.owner, gone.pages);
  for (auto& problem : problems)
    sort_owners(problem.owners);
}

ledger_repair ledger::repair() {
  const auto problems = check();
  if (problems.empty())
    return {};
  ledger_repair result;
  for (const auto& problem : problems) {
    result.owners.insert(result.owners.end(), problem.owners.begin(),
                         problem.owners.end());
    if (!lacks_one_hold(problem))
      result.pages.push_back(problem.page);
  }
  sort_owners(result.owners);
  std::erase_if(result.owners,
                [this](owner_id owner) { return holdings_.erase(owner) == 0; });
  rebuild(result.pages);
  return result;
}

/// Takes disputed pages off every list.
void ledger::strike(std::span<const page_id> disputed) {
  const auto is_disputed = [disputed](page_id page) {
    return std::binary_search(disputed.begin(), disputed.end(), page);
  };
  std::vector<page_id> free{pool_.free_list().begin(), pool_.free_list().end()};
  std::erase_if(free, is_disputed);
  pool_ = page_pool{static_cast<std::uint32_t>(records_.size())};
  pool_.take(pool_.size());
  std::reverse(free.begin(), free.end());
  pool_.put_back(free);
  for (auto& [plan, gone] : departed_)
    std::erase_if(gone.pages, is_disputed);
  std::erase_if(cached_, [&](const auto& at) { return is_disputed(at.first); });
}

void ledger::rebuild(std::span<const page_id> disputed) {
  strike(disputed);
  // What nobody holds now may still be written by a plan on its way.
  departed stray;
  const auto found = count_holders();
  for (page_id page = 0; page < records_.size(); ++page)
    if (found.accounts[page] == page_account{})
      stray.pages.push_back(page);
  departed_.emplace(latest_plan_.value_or(0), std::move(stray));
  rebuild_records();
  if (settled_)
    settle(*settled_);
}

void ledger::rebuild_records() {
  records_ = count_holders().accounts;
  counts_ = {};
  recorded_ = {};
  for (page_id page = 0; page < records_.size(); ++page) {
    const auto& account = records_[page];
    ++counts_.of(account.state());
    recorded_.holds += account.holders();
    recorded_.cached += account.cached;
    if (account.cached && account.holders() == 0)
      idle_.push_back(page);
  }
  listed_ = recorded_;
}

void ledger::corrupt_for_test(page_id page, const page_account& wrong) {
  record(page, wrong);
}

void ledger::leak_for_test(owner_id owner) {
  const auto found = holdings_.find(owner);
  if (found == holdings_.end() || found->second.pages.empty())
    return;
  found->second.pages.pop_back();
  --listed_.holds;
}

} // namespace sluice

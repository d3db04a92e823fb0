// SPDX-License-Identifier: Apache-2.0
#include "memory/ledger.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

ledger::ledger(std::uint32_t pool_pages)
    : pool_{pool_pages}, records_(pool_pages, page_account::unused()) {
  counts_.free = pool_pages;
}

void ledger::advance(instant now) {
  now_ = std::max(now_, now);
}

void ledger::record(page_id page, const page_account& now) {
  auto& account = records_[page];
  --counts_.of(account.state());
  recorded_.holds -= account.holders();
  recorded_.cached -= account.cached;
  account = now;
  ++counts_.of(account.state());
  recorded_.holds += account.holders();
  recorded_.cached += account.cached;
}

void ledger::accrue(holding& held) {
  const std::chrono::duration<double> passed = now_ - held.since;
  held.page_seconds += static_cast<double>(held.pages.size()) * passed.count();
  held.since = now_;
}

// -- holds
// ----------------------------------------------------------------------

std::optional<std::vector<page_id>> ledger::claim(owner_id owner,
                                                  std::uint32_t pages) {
  auto taken = pool_.take(pages);
  if (!taken || pages == 0)
    return taken;
  auto& held = holdings_[owner];
  accrue(held);
  for (const auto page : *taken)
    record(page, page_account::held_by(owner));
  held.pages.insert(held.pages.end(), taken->begin(), taken->end());
  listed_.holds += pages;
  return taken;
}

void ledger::share(owner_id owner, std::span<const page_id> pages) {
  for (const auto page : pages)
    require(page < records_.size() && records_[page].free == 0,
            "ledger: a free page cannot be shared; claim it");
  if (pages.empty())
    return;
  auto& held = holdings_[owner];
  accrue(held);
  for (const auto page : pages) {
    auto account = records_[page];
    ++account.active;
    account.owners += owner;
    record(page, account);
  }
  held.pages.insert(held.pages.end(), pages.begin(), pages.end());
  listed_.holds += pages.size();
}

std::optional<page_id> ledger::renew(owner_id owner, std::uint32_t entry) {
  const auto found = holdings_.find(owner);
  require(found != holdings_.end() && entry < found->second.pages.size(),
          "ledger: the owner has no such page; renew what pages_of() lists");
  const auto fresh = pool_.take(1);
  if (!fresh)
    return std::nullopt;
  auto& held = found->second;
  record(fresh->front(), page_account::held_by(owner));
  const auto old = std::exchange(held.pages[entry], fresh->front());
  ++listed_.holds;
  give_up(owner, held.last_plan, {old});
  return fresh->front();
}

void ledger::shorten(owner_id owner, std::uint32_t keep) {
  const auto found = holdings_.find(owner);
  if (found == holdings_.end() || keep >= found->second.pages.size())
    return;
  auto& held = found->second;
  accrue(held);
  std::vector<page_id> gone(held.pages.begin() + keep, held.pages.end());
  held.pages.resize(keep);
  give_up(owner, held.last_plan, std::move(gone));
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
  if (!node.empty())
    give_up(owner, node.mapped().last_plan, std::move(node.mapped().pages));
}

/// Whether the record allows that the owner's hold ends. A page with another
/// record is disputed: freeing it could hand it to two owners. It stays out of
/// the pool, where check() finds it.
bool ledger::is_holder(page_id page, owner_id owner) const {
  const auto& account = records_[page];
  return account.free == 0 && account.holders() > 0 &&
         (account.holders() > 1 || account.owners == owner);
}

void ledger::give_up(owner_id owner, std::optional<std::uint64_t> last_plan,
                     std::vector<page_id> pages) {
  for (const auto page : pages)
    if (auto account = records_[page];
        account.active > 0 && is_holder(page, owner)) {
      --account.active;
      ++account.in_flight;
      record(page, account);
    }
  departed gone{owner, std::move(pages)};
  // Nothing is less than any plan: an owner that no plan named is done.
  if (last_plan <= settled_)
    land(gone);
  else
    departed_.emplace(*last_plan, std::move(gone));
}

void ledger::settle(std::uint64_t plan) {
  settled_ = std::max<std::optional<std::uint64_t>>(settled_, plan);
  while (!departed_.empty() && departed_.begin()->first <= *settled_)
    land(departed_.extract(departed_.begin()).mapped());
}

void ledger::land(const departed& gone) {
  listed_.holds -= gone.pages.size();
  // From the end, so that they are given out again in this order.
  for (auto page = gone.pages.rbegin(); page != gone.pages.rend(); ++page)
    if (auto account = records_[*page];
        account.in_flight > 0 && is_holder(*page, gone.owner)) {
      --account.in_flight;
      account.owners -= gone.owner;
      end_hold(*page, account);
    }
}

void ledger::end_hold(page_id page, page_account account) {
  const bool unheld = account.holders() == 0;
  if (unheld && !account.cached)
    account = page_account::unused();
  record(page, account);
  if (unheld && account.cached)
    idle_.push_back(page);
  else if (unheld)
    pool_.put_back({&page, 1});
}

// -- the cache
// ----------------------------------------------------------------------

void ledger::cache(page_id page) {
  auto account = records_.at(page);
  require(account.holders() > 0,
          "ledger: only a page that is held can be cached; cache it before "
          "its holder leaves");
  account.cached = true;
  record(page, account);
  listed_.cached += cached_.emplace(page, false).second;
}

void ledger::uncache(page_id page) {
  auto account = records_.at(page);
  if (!account.cached || cached_.erase(page) == 0)
    return;
  --listed_.cached;
  account.cached = false;
  account.pinned = false;
  if (account.holders() > 0)
    return record(page, account);
  record(page, page_account::unused());
  pool_.put_back({&page, 1});
}

void ledger::pin(page_id page, bool pinned) {
  auto account = records_.at(page);
  const auto listed = cached_.find(page);
  if (!account.cached || listed == cached_.end())
    return;
  account.pinned = pinned;
  listed->second = pinned;
  record(page, account);
}

std::vector<page_id> ledger::take_idle() {
  return std::exchange(idle_, {});
}

// -- answers
// ----------------------------------------------------------------------

std::span<const page_id> ledger::pages_of(owner_id owner) const {
  const auto found = holdings_.find(owner);
  if (found == holdings_.end())
    return {};
  return found->second.pages;
}

double ledger::page_seconds(owner_id owner) const {
  const auto found = holdings_.find(owner);
  if (found == holdings_.end())
    return 0;
  const auto& held = found->second;
  const std::chrono::duration<double> passed = now_ - held.since;
  return held.page_seconds +
         static_cast<double>(held.pages.size()) * passed.count();
}

std::vector<owner_id> ledger::owners() const {
  std::vector<owner_id> result;
  result.reserve(holdings_.size());
  for (const auto& [owner, held] : holdings_)
    result.push_back(owner);
  return result;
}

bool ledger::sums_agree() const {
  return counts_.sum() == pool_.size() && counts_.free == free_pages() &&
         recorded_ == listed_ && cached_.size() == listed_.cached;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "memory/page_account.hpp"

namespace sluice {

std::string_view name(page_state state) {
  switch (state) {
  case page_state::free:
    return "free";
  case page_state::active:
    return "active";
  case page_state::in_flight:
    return "in_flight";
  case page_state::pinned:
    return "pinned";
  case page_state::cached:
    return "cached";
  case page_state::swapped:
    return "swapped";
  }
  return "unknown";
}

std::uint32_t& ledger_counts::of(page_state state) {
  switch (state) {
  case page_state::active:
    return active;
  case page_state::in_flight:
    return in_flight;
  case page_state::pinned:
    return pinned;
  case page_state::cached:
    return cached;
  case page_state::swapped:
    return swapped;
  case page_state::free:
    break;
  }
  return free;
}

page_state page_account::state() const {
  if (active > 0)
    return page_state::active;
  if (in_flight > 0)
    return page_state::in_flight;
  if (pinned)
    return page_state::pinned;
  return cached ? page_state::cached : page_state::free;
}

bool page_account::is_possible() const {
  const bool in_use = holders() > 0 || cached;
  return in_use ? free == 0 && (cached || !pinned) : free == 1 && !pinned;
}

namespace {

std::string text(const page_account& account) {
  const bool in_use = account.holders() > 0 || account.cached;
  if (!in_use)
    return account.free == 0   ? "nowhere"
           : account.free == 1 ? "free"
                               : "free more than once";
  auto result = std::string{name(account.state())};
  if (account.owner() != no_owner)
    result += " of " + std::to_string(account.owner());
  else if (account.holders() > 1)
    result += " of " + std::to_string(account.holders()) + " holders";
  return account.free == 0 ? result : result + " and free";
}

} // namespace

std::string describe(const discrepancy& problem) {
  auto result = "page " + std::to_string(problem.page) + ": recorded " +
                text(problem.recorded) + ", listed as " + text(problem.listed);
  const char* before = "; owners ";
  for (const auto owner : problem.owners) {
    result += before + std::to_string(owner);
    before = ", ";
  }
  return result;
}

} // namespace sluice

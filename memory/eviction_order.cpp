// SPDX-License-Identifier: Apache-2.0
#include "memory/eviction_order.hpp"

namespace sluice {

void eviction_order::add(block which, instant used, const retention& worth) {
  remove(which);
  const entry e{used, worth.priority, worth.keep_until,
                worth.keep_until > instant{}};
  entries_.emplace(which, e);
  if (e.kept)
    kept_.emplace(e.keep_until, used, which);
  else
    ordinary_.emplace(e.priority, used, which);
}

void eviction_order::remove(block which) {
  const auto found = entries_.find(which);
  if (found == entries_.end())
    return;
  const auto& e = found->second;
  if (e.kept)
    kept_.erase({e.keep_until, e.used, which});
  else
    ordinary_.erase({e.priority, e.used, which});
  entries_.erase(found);
}

/// Each block is moved once at most, whatever the number of calls.
void eviction_order::end_terms(instant now) {
  while (!kept_.empty() && std::get<0>(*kept_.begin()) <= now) {
    const auto which = std::get<2>(*kept_.begin());
    kept_.erase(kept_.begin());
    auto& e = entries_.at(which);
    e.kept = false;
    ordinary_.emplace(e.priority, e.used, which);
  }
}

std::optional<eviction_order::block> eviction_order::pop(instant now) {
  end_terms(now);
  if (entries_.empty())
    return std::nullopt;
  const auto which = ordinary_.empty() ? std::get<2>(*kept_.begin())
                                       : std::get<2>(*ordinary_.begin());
  remove(which);
  return which;
}

} // namespace sluice

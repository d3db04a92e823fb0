// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/waiting_queue.hpp"

#include <utility>

namespace sluice::policy {

void waiting_queue::push(const waiting_place& place) {
  if (levels_[place.priority][place.tenant]
          .emplace(place.order, place.request)
          .second)
    ++size_;
}

void waiting_queue::erase(const waiting_place& place) {
  const auto at = levels_.find(place.priority);
  if (at == levels_.end())
    return;
  const auto tenant = at->second.find(place.tenant);
  if (tenant == at->second.end())
    return;
  size_ -= static_cast<std::uint32_t>(
      tenant->second.erase({place.order, place.request}));
  if (tenant->second.empty())
    at->second.erase(tenant);
  if (at->second.empty())
    levels_.erase(at);
}

std::optional<std::uint64_t>
waiting_queue::next_of(const level& tenants, const fair_share& shares,
                       const std::function<bool(const std::string&)>& may_run) {
  using rank = std::pair<double, std::uint64_t>; // counter, then arrival
  std::optional<rank> best;
  std::optional<std::uint64_t> found;
  for (const auto& [tenant, requests] : tenants) {
    const rank mine{shares.counter(tenant), requests.begin()->first};
    if ((best && *best <= mine) || !may_run(tenant))
      continue;
    best = mine;
    found = requests.begin()->second;
  }
  return found;
}

std::optional<std::uint64_t> waiting_queue::next(
    const fair_share& shares,
    const std::function<bool(const std::string&)>& may_run) const {
  for (const auto& [priority, tenants] : levels_)
    if (const auto found = next_of(tenants, shares, may_run))
      return found;
  return std::nullopt;
}

} // namespace sluice::policy

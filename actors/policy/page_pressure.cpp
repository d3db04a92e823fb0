// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/page_pressure.hpp"

#include <algorithm>
#include <chrono>

namespace sluice::policy {

void page_pressure::moved(std::uint64_t bytes, instant took) {
  constexpr double weight = 0.2; // of the newest measure
  const std::chrono::duration<double> seconds{took};
  if (bytes == 0 || seconds.count() <= 0 || rules_.swap_bytes_per_second <= 0)
    return;
  const auto measured = static_cast<double>(bytes) / seconds.count();
  rules_.swap_bytes_per_second +=
      weight * (measured - rules_.swap_bytes_per_second);
}

std::vector<victim> page_pressure::relieve(lane_schedule& lane,
                                           std::uint32_t missing) {
  auto rules = rules_;
  rules.swap_pages = room_.free_slots;
  const auto holders = lane.holders();
  auto victims = choose_victims(holders, missing, rules, lane.costs());
  for (const auto& each : victims)
    lane.give_way(each.sequence, each.how);
  return victims;
}

std::vector<victim>
page_pressure::step_back(lane_schedule& lane,
                         std::span<const std::uint64_t> waiting) {
  std::vector<victim> victims;
  const auto holders = lane.holders(); // by rank
  for (std::size_t i = 1; i < holders.size(); ++i)
    if (std::ranges::find(waiting, holders[i].sequence) != waiting.end())
      victims.push_back(
          {holders[i].sequence, give_way::recompute, holders[i].pages});
  for (const auto& each : victims)
    lane.give_way(each.sequence, each.how);
  return victims;
}

std::vector<std::uint64_t>
page_pressure::returns(const lane_schedule& lane) const {
  const auto seekers = lane.seekers();
  if (seekers.empty() || room_.anybody_waits)
    return {};
  const auto running = static_cast<std::uint32_t>(lane.holders().size());
  return choose_returns(seekers, room_.available, running, rules_);
}

} // namespace sluice::policy

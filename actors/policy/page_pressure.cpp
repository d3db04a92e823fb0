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

namespace {

/// Takes victims out of the lane.
/// @return the sequences that had pages: of a group, each.
std::vector<victim> take_out(lane_schedule& lane,
                             std::span<const victim> chosen) {
  std::vector<victim> gone;
  for (const auto& each : chosen)
    for (const auto sequence : lane.give_way(each.sequence, each.how))
      gone.push_back({sequence, each.how, each.pages});
  return gone;
}

} // namespace

std::vector<victim> page_pressure::relieve(lane_schedule& lane,
                                           std::uint32_t missing) {
  auto rules = rules_;
  rules.swap_pages = room_.free_slots;
  const auto holders = lane.holders();
  return take_out(lane, choose_victims(holders, missing, rules, lane.costs()));
}

std::vector<victim>
page_pressure::step_back(lane_schedule& lane,
                         std::span<const std::uint64_t> waiting) {
  std::vector<victim> victims;
  const auto holders = lane.holders(); // by rank
  const auto waits = [&](const page_holder& holder) {
    return std::ranges::any_of(waiting, [&](std::uint64_t sequence) {
      return lane.unit_of(sequence) == holder.sequence;
    });
  };
  for (std::size_t i = 1; i < holders.size(); ++i)
    if (waits(holders[i]))
      victims.push_back(
          {holders[i].sequence, give_way::recompute, holders[i].pages});
  return take_out(lane, victims);
}

std::vector<std::uint64_t>
page_pressure::returns(const lane_schedule& lane) const {
  const auto seekers = lane.seekers();
  if (seekers.empty() || room_.anybody_waits)
    return {};
  std::uint32_t running = 0;
  for (const auto& holder : lane.holders())
    running += holder.sequences;
  return choose_returns(seekers, room_.available, running, rules_);
}

} // namespace sluice::policy

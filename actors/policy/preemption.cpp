// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/preemption.hpp"

#include <algorithm>
#include <chrono>
#include <tuple>

#include "kernels/check.hpp"

namespace sluice::policy {
namespace {

template <class Sequence>
bool ranks_higher(const Sequence& a, const Sequence& b) {
  return std::tuple{-std::int64_t{a.priority}, a.admitted, a.sequence} <
         std::tuple{-std::int64_t{b.priority}, b.admitted, b.sequence};
}

template <class Sequence>
std::vector<Sequence> by_rank(std::span<const Sequence> all) {
  std::vector<Sequence> sorted(all.begin(), all.end());
  std::sort(sorted.begin(), sorted.end(), ranks_higher<Sequence>);
  return sorted;
}

give_way cheaper_way(const page_holder& holder, std::uint32_t swap_room,
                     const preemption_rules& rules, const cost_model& costs) {
  if (!holder.can_swap || rules.swap_bytes_per_second <= 0 ||
      holder.pages > swap_room)
    return give_way::recompute;
  return swap_time(holder, rules) < recompute_time(holder, costs)
             ? give_way::swap
             : give_way::recompute;
}

/// Lowest rank first, those that only just came back last; never the highest.
std::vector<page_holder>
in_order_of_yielding(std::span<const page_holder> holders,
                     std::uint32_t least_progress) {
  auto order = by_rank(holders);
  if (!order.empty())
    order.erase(order.begin());
  std::reverse(order.begin(), order.end());
  std::stable_partition(order.begin(), order.end(), [=](const auto& h) {
    return h.progress >= least_progress;
  });
  return order;
}

} // namespace

instant recompute_time(const page_holder& holder, const cost_model& costs) {
  const auto kept = std::min(holder.cached_tokens, holder.context_tokens);
  const auto lost = holder.context_tokens - kept;
  return lost == 0 ? instant{0}
                   : costs.predict(shape_of_run(kept, lost, false)) -
                         costs.predict({});
}

instant swap_time(const page_holder& holder, const preemption_rules& rules) {
  require(rules.swap_bytes_per_second > 0,
          "swap_time: there is no swap; ask for recompute_time");
  const auto bytes = 2.0 * holder.pages * static_cast<double>(rules.page_bytes);
  return std::chrono::duration_cast<instant>(
      std::chrono::duration<double>{bytes / rules.swap_bytes_per_second});
}

std::vector<victim> choose_victims(std::span<const page_holder> holders,
                                   std::uint32_t missing,
                                   const preemption_rules& rules,
                                   const cost_model& costs) {
  std::vector<victim> victims;
  auto swap_room = rules.swap_pages;
  std::uint32_t freed = 0;
  for (const auto& holder :
       in_order_of_yielding(holders, rules.least_progress)) {
    if (freed >= missing)
      break;
    if (!holder.movable || holder.pages == 0)
      continue;
    const auto how = cheaper_way(holder, swap_room, rules, costs);
    if (how == give_way::swap)
      swap_room -= holder.pages;
    victims.push_back({holder.sequence, how, holder.pages});
    freed += holder.pages;
  }
  return victims;
}

std::vector<std::uint64_t> choose_returns(std::span<const page_seeker> seekers,
                                          std::uint32_t free_pages,
                                          std::uint32_t running,
                                          const preemption_rules& rules) {
  std::vector<std::uint64_t> back;
  const std::uint64_t growth =
      (rules.least_progress + rules.page_tokens - 1) / rules.page_tokens;
  std::uint64_t taken = 0;
  std::uint64_t growing = running;
  for (const auto& seeker : by_rank(seekers)) {
    const bool alone = growing == 0;
    growing += seeker.sequences;
    const auto headroom = alone ? 0 : growing * growth;
    if (taken + seeker.pages + headroom > free_pages)
      break;
    taken += seeker.pages;
    back.push_back(seeker.sequence);
  }
  return back;
}

} // namespace sluice::policy

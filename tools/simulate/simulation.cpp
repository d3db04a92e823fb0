// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/simulation.hpp"

#include <algorithm>
#include <deque>
#include <queue>
#include <utility>
#include <vector>

namespace sluice::simulate {
namespace {

/// The end of a lane's step; equal times by lane.
using step_end = std::pair<instant, std::size_t>;

class event_loop {
public:
  explicit event_loop(const simulation_settings& settings) {
    counts_.goal = settings.goal;
    for (std::uint32_t i = 0; i < settings.lanes; ++i)
      lanes_.emplace_back(settings.lane, counts_);
  }

  /// Ends all steps that end before @p now, or by then.
  void advance(instant now) {
    while (!ends_.empty() && ends_.top().first <= now) {
      const auto [when, lane] = ends_.top();
      ends_.pop();
      lanes_[lane].step_done(when);
      watch(lane);
    }
  }

  void offer(const arrival& asked) {
    const auto least = std::min_element(
        lanes_.begin(), lanes_.end(),
        [](const auto& a, const auto& b) { return a.load() < b.load(); });
    const bool idle = !least->step_ends();
    least->offer(asked, asked.when);
    if (idle)
      watch(static_cast<std::size_t>(least - lanes_.begin()));
  }

  tally result() && { return std::move(counts_); }

private:
  void watch(std::size_t lane) {
    if (const auto end = lanes_[lane].step_ends())
      ends_.emplace(*end, lane);
  }

  tally counts_;
  std::deque<simulated_lane> lanes_; // they hold references to counts_
  std::priority_queue<step_end, std::vector<step_end>, std::greater<>> ends_;
};

} // namespace

tally simulate_all(const simulation_settings& settings, arrivals requests,
                   const std::function<void(std::uint64_t)>& progress) {
  event_loop loop{settings};
  std::uint64_t come = 0;
  while (const auto asked = requests()) {
    loop.advance(asked->when);
    loop.offer(*asked);
    if (progress && ++come % 64 == 0)
      progress(come);
  }
  loop.advance(instant::max());
  return std::move(loop).result();
}

} // namespace sluice::simulate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "actors/policy/instant.hpp"

namespace sluice::policy {

/// What is known of a lane's progress. Ages are of the moment of asking.
struct lane_pulse {
  std::uint32_t waiting = 0;   // requests
  std::uint32_t running = 0;   // requests
  std::uint32_t sequences = 0; // in the batcher
  std::uint32_t plans = 0;     // on their way to the executor
  std::uint64_t oldest_plan = 0;
  instant plan_age{0}; // since the executor could begin the oldest
  bool awaits_pages = false;
  instant pages_age{0};     // since pages were asked for
  instant step_age{0};      // since the last step ended
  instant decision_age{0};  // since the scheduler last decided
  instant batcher_age{0};   // since the batcher last said anything
  instant scheduler_age{0}; // since the scheduler did
};

/// Says who does not move though there is work for it.
/// @param limit  what nothing takes that moves; above the longest step.
/// @return one line that names the part and what it is at; empty if all move.
std::string find_stall(const lane_pulse& pulse, instant limit);

} // namespace sluice::policy

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "tools/simulate/arrivals.hpp"
#include "tools/simulate/simulated_lane.hpp"
#include "tools/simulate/tally.hpp"

namespace sluice::simulate {

struct simulation_settings {
  std::uint32_t lanes = 1;
  lane_settings lane; // of each
  service_goal goal;
};

/// Runs all requests to their end on a virtual clock; each goes to the lane
/// that has the fewest.
/// @param progress  called now and then with the requests that have come.
tally simulate_all(const simulation_settings& settings, arrivals requests,
                   const std::function<void(std::uint64_t)>& progress = {});

} // namespace sluice::simulate

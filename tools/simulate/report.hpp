// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "tools/simulate/simulation.hpp"

namespace sluice::simulate {

/// Everything that was counted; times in the keys' units, rates a second of
/// simulated time. TTFT and ITL have the keys of `vllm bench serve`.
/// @param took  on the wall, for `simulated_requests_per_second`.
nlohmann::ordered_json as_json(const simulation_settings& settings,
                               const tally& counts,
                               std::chrono::duration<double> took);

/// The same for people.
std::string as_text(const nlohmann::ordered_json& report);

} // namespace sluice::simulate

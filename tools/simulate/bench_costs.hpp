// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "actors/policy/cost_model.hpp"

namespace sluice::simulate {

/// What steps cost, from the output of `sluice bench batch --json`: its steps
/// are laid out as the benchmark lays them out, and the coefficients fitted so
/// that their times add up to those measured.
/// @throws std::runtime_error if the JSON has no such rows.
policy::cost_coefficients fit_bench(const nlohmann::json& report);

} // namespace sluice::simulate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "actors/policy/cost_model.hpp"

namespace sluice::simulate {

/// What steps cost, from outputs of `sluice bench batch --json`: their steps
/// are laid out as the benchmark lays them out, and the coefficients fitted so
/// that the steps' times add up to those measured. One length of prompts does
/// not tell rows from the KV that they read: give a short and a long one.
/// @throws std::runtime_error if the JSON has no such rows.
policy::cost_coefficients fit_bench(const std::vector<nlohmann::json>& reports);

} // namespace sluice::simulate

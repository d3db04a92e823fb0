// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "messages/control_generated.h"

namespace sluice::cli {

/// The sum of a series over its labels; 0 if it is absent.
double series(const messages::StatsT& stats, std::string_view name);

/// Prometheus's text form: a line `name{labels} value` each.
std::string to_text(const messages::StatsT& stats);

/// What happened between two moments.
struct activity {
  double generated_per_second = 0;
  double prompt_per_second = 0;
  double steps_per_second = 0;
  double step_seconds = 0;    // mean, result to result
  double compute_seconds = 0; // mean, inside the executor
  double rows = 0;            // mean per step
};

/// @param seconds  between the two, > 0.
activity between(const messages::StatsT& before, const messages::StatsT& after,
                 double seconds);

} // namespace sluice::cli

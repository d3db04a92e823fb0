// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

namespace sluice::bench {

/// What repeated measurements of one thing come to.
struct summary {
  double median = 0;
  double min = 0;
  double max = 0;
  double mad = 0; // median of the distances from the median
};

/// @param values  any order; none gives zeros.
summary summarize(std::span<const double> values);

/// The mean; 0 of nothing.
double mean(std::span<const double> values);

/// The standard deviation of the values as a whole population; 0 of nothing.
double deviation(std::span<const double> values);

/// Linear between the two nearest ranks, as numpy's percentile does.
/// @param values   any order; none gives 0.
/// @param percent  0 .. 100.
double percentile(std::span<const double> values, double percent);

} // namespace sluice::bench

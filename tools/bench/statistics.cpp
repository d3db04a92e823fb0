// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace sluice::bench {

summary summarize(std::span<const double> values) {
  if (values.empty())
    return {};
  summary result;
  result.median = percentile(values, 50);
  result.min = *std::min_element(values.begin(), values.end());
  result.max = *std::max_element(values.begin(), values.end());
  std::vector<double> distances;
  for (const auto value : values)
    distances.push_back(std::abs(value - result.median));
  result.mad = percentile(distances, 50);
  return result;
}

double mean(std::span<const double> values) {
  if (values.empty())
    return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

double deviation(std::span<const double> values) {
  const auto middle = mean(values);
  std::vector<double> squares;
  for (const auto value : values)
    squares.push_back((value - middle) * (value - middle));
  return std::sqrt(mean(squares));
}

double percentile(std::span<const double> values, double percent) {
  if (values.empty())
    return 0;
  std::vector<double> sorted{values.begin(), values.end()};
  std::sort(sorted.begin(), sorted.end());
  const auto rank = percent / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] +
         (rank - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

} // namespace sluice::bench

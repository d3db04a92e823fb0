// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/arrivals.hpp"

#include <random>

namespace sluice::bench {

std::vector<double> arrival_times(const arrival_process& process,
                                  std::size_t count) {
  std::vector<double> times(count);
  if (process.rate <= 0 || count == 0)
    return times;
  std::mt19937_64 random{process.seed};
  std::gamma_distribution<double> gaps{process.burstiness};
  double at = 0;
  for (auto& time : times)
    time = at += gaps(random);
  const auto stretch = static_cast<double>(count) / process.rate / at;
  for (auto& time : times)
    time *= stretch;
  return times;
}

} // namespace sluice::bench

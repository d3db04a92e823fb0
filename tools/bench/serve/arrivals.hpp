// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice::bench {

/// When requests arrive.
struct arrival_process {
  double rate = 0;       // requests per second; 0: all at once
  double burstiness = 1; // shape of the gamma distribution of the gaps, > 0;
                         // 1: a Poisson process; less: burstier
  std::uint64_t seed = 0;
};

/// Seconds from the start, ascending. The gaps are stretched so that the last
/// request arrives at count / rate exactly.
std::vector<double> arrival_times(const arrival_process& process,
                                  std::size_t count);

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace sluice::cuda {

/// How freely kernels may order their sums.
enum class determinism : std::uint8_t {
  strict, // by weight shape alone: contract 1
  fast    // as is fastest for the number of rows and the GPU
};

} // namespace sluice::cuda

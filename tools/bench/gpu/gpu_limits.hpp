// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::bench {

/// What a GPU shows that it can do, at one moment.
struct gpu_limits {
  double read = 0; // bytes per second
  double bf16 = 0; // operations per second, of mma.sync
  double int8 = 0;
};

/// The medians of some rounds of loops that do nothing else.
/// @throws as measure_gpu_kernels().
gpu_limits measure_gpu_limits(int index);

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "model/cuda/cuda_step.hpp"

#include <functional>
#include <vector>

namespace sluice {

/// The graphs of decode steps, one for each size that has occurred. Which sizes
/// there can be is bounded by the ladder of sizes_of().
class cuda_graphs {
public:
  /// Runs `work`: as it is the first time, recorded and run from then on. All
  /// that it reads and that changes between steps must be in device memory.
  void run(const cuda_step_sizes& sizes,
           const std::function<void(cuda::stream&)>& work, cuda::stream& in);

private:
  struct entry {
    cuda_step_sizes sizes;
    cuda::graph graph; // empty until the size has occurred twice
  };
  std::vector<entry> entries_;
};

} // namespace sluice

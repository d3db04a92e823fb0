// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "model/cuda/cuda_step.hpp"

#include <functional>
#include <vector>

namespace sluice {

/// What a recorded step depends on.
struct cuda_graph_key {
  cuda_step_sizes sizes;
  bool chooses = false;      // tokens, too, with this many alternatives:
  std::int32_t most_top = 0; // few values

  bool operator==(const cuda_graph_key&) const = default;
};

/// The graphs of decode steps, one for each size that has occurred. Which sizes
/// there can be is bounded by the ladder of sizes_of().
class cuda_graphs {
public:
  /// Runs `work`: as it is the first time, recorded and run from then on. All
  /// that it reads and that changes between steps must be in device memory.
  void run(const cuda_graph_key& key,
           const std::function<void(cuda::stream&)>& work, cuda::stream& in);

private:
  struct entry {
    cuda_graph_key key;
    cuda::graph graph; // empty until the size has occurred twice
  };
  std::vector<entry> entries_;
};

} // namespace sluice

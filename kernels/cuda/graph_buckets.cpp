// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/graph_buckets.hpp"

#include <algorithm>

namespace sluice::cuda {

std::optional<std::uint32_t> graph_bucket(std::uint64_t rows) {
  const auto at =
      std::lower_bound(graph_buckets.begin(), graph_buckets.end(), rows);
  if (rows == 0 || at == graph_buckets.end())
    return std::nullopt;
  return *at;
}

std::span<const std::uint32_t> graph_buckets_up_to(std::uint64_t most_rows) {
  if (most_rows == 0)
    return {};
  const auto at =
      std::lower_bound(graph_buckets.begin(), graph_buckets.end(), most_rows);
  const auto end = at == graph_buckets.end() ? at : at + 1;
  return {graph_buckets.begin(), end};
}

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention.hpp"

#include "kernels/check.hpp"

#include <algorithm>

namespace sluice::cuda {
namespace {

std::int32_t last_position(const attention_tile& tile,
                           std::span<const std::int32_t> positions) {
  const auto rows = positions.subspan(static_cast<std::size_t>(tile.row),
                                      static_cast<std::size_t>(tile.count));
  return *std::max_element(rows.begin(), rows.end());
}

} // namespace

std::int64_t tile_rows(const attention_tiling& tiling) {
  const std::int64_t query_rows = tiling.head_dim > 128 ? 64 : 128;
  return std::max<std::int64_t>(1, query_rows / tiling.group);
}

attention_plan plan_attention(std::span<const std::int32_t> row_sequences,
                              std::span<const std::int32_t> positions,
                              const attention_tiling& tiling) {
  require(
      row_sequences.size() == positions.size() && tiling.group > 0,
      "plan_attention: one sequence and one position a row; check the plan");
  attention_plan plan;
  const auto rows = std::ssize(positions);
  const auto at = [](const auto& list, std::ptrdiff_t i) {
    return list[static_cast<std::size_t>(i)];
  };
  const bool fits =
      tile_rows(tiling) * tiling.group <= (tiling.head_dim > 128 ? 64 : 128);
  for (std::ptrdiff_t first = 0; first < rows;) {
    std::ptrdiff_t end = first;
    while (end < rows && at(positions, end) >= 0 &&
           at(row_sequences, end) == at(row_sequences, first))
      ++end;
    if (end - first >= tiling.shortest_run && fits) {
      for (auto row = first; row < end; row += tile_rows(tiling))
        plan.tiles.push_back(
            {static_cast<std::int32_t>(row),
             static_cast<std::int32_t>(
                 std::min<std::ptrdiff_t>(end - row, tile_rows(tiling)))});
    } else {
      for (auto row = first; row < end; ++row)
        plan.single_rows.push_back(static_cast<std::int32_t>(row));
    }
    first = std::max(end, first + 1);
  }
  // So that the last blocks to start are short ones.
  std::stable_sort(
      plan.tiles.begin(), plan.tiles.end(), [&](const auto& a, const auto& b) {
        return last_position(a, positions) > last_position(b, positions);
      });
  return plan;
}

} // namespace sluice::cuda

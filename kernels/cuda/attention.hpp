// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"

#include <span>
#include <vector>

namespace sluice::cuda {

/// Which rows of a step go to which kernel of paged_attention.
struct attention_plan {
  std::vector<attention_tile> tiles; // the longest context first
  std::vector<std::int32_t> single_rows;
};

/// The shape that decides how large a tile may be.
struct attention_tiling {
  std::int64_t head_dim = 0;
  std::int64_t group = 1;         // query heads of a kv head
  std::int64_t shortest_run = 16; // fewer neighbouring rows are single rows
};

/// The most rows that a tile of this shape has, at least 1.
std::int64_t tile_rows(const attention_tiling& tiling);

/// Cuts runs of neighbouring rows of one sequence into tiles; other rows are
/// single ones. Rows at a position below 0 are in neither.
/// @param row_sequences  [rows], positions [rows], as attention_args, on the
///                       host.
/// @note  which kernel takes a row changes nothing of its result.
attention_plan plan_attention(std::span<const std::int32_t> row_sequences,
                              std::span<const std::int32_t> positions,
                              const attention_tiling& tiling);

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/determinism.hpp"
#include "kernels/cuda/device_weight.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

// How a matmul is cut into blocks: pure functions of shapes. Only `slices`
// bears on results; all else may change with speed alone in mind. In fast mode
// slices are chosen as freely.

namespace sluice::cuda {

/// Most projections of one launch.
inline constexpr int most_projections = 4;

/// Into how many slices of K the sums of a weight are cut, 1, 2, 4 or 8: the
/// part of its sums' order that depends on shape. Slice i has the groups (8
/// chunks, see weight_layout.hpp) from slice_begin(i) to slice_begin(i + 1);
/// it is summed in K order, and slices are added in order. A few rows of x
/// need about 1,000 warps to keep an H100's memory busy, so N of 12,288 and
/// more are not cut, and fewer rows are cut into the more slices.
int matmul_slices(weight_form form, std::int64_t rows, std::int64_t columns);

/// The first group of a slice, of at most 2^23. (In 32 bits: a GPU divides 64
/// in some hundred instructions, which every block would begin with.)
constexpr int slice_begin(int groups, int slices, int slice) {
  return static_cast<int>(static_cast<std::uint32_t>(groups) *
                          static_cast<std::uint32_t>(slice) /
                          static_cast<std::uint32_t>(slices));
}

/// The skinny kernel, of 1 to 8 rows of x: a warp sums 16 rows of a weight over
/// a slice, straight from memory, and a block of 8 warps has all slices of its
/// rows. The tall kernel: a block multiplies 128 rows of a weight with a tile
/// of x in shared memory, over all of K, or over a part, where blocks that
/// share a tile meet in the workspace.
struct matmul_plan {
  int tile_tokens = 0; // 8: skinny; 16, 32, 64 or 128: tall
  int slices[most_projections] = {1, 1, 1, 1}; // of K
  int parts[most_projections] = {1, 1, 1, 1};  // blocks that share a tile; they
                                               // divide the slices
  std::int64_t blocks[most_projections] = {};  // of each projection
  std::size_t workspace_bytes = 0;             // that it uses
  std::size_t shared_bytes = 0;                // of a block
  int tile_sum_bytes = 0; // of one slice of a tile of the output

  bool skinny() const { return tile_tokens == 8; }
  std::int64_t all_blocks() const {
    return blocks[0] + blocks[1] + blocks[2] + blocks[3];
  }
};

/// What a plan is made of; all projections have one form and one K.
struct matmul_shape {
  weight_form form = weight_form::bf16;
  std::int64_t tokens = 0;            // M
  std::span<const std::int64_t> rows; // N of each projection
  std::int64_t columns = 0;           // K
  std::size_t workspace_bytes = 0;    // at hand; may be 0
  std::size_t shared_bytes = 0;       // that a block may have
  determinism mode = determinism::strict;
  int processors = 132; // fast mode looks at them; an H100's
};

matmul_plan plan_matmul(const matmul_shape& shape);

inline constexpr std::size_t counter_bytes = 4096; // of the workspace's start

} // namespace sluice::cuda

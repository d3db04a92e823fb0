// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/matmul_plan.hpp"
#include "kernels/cuda/simt.hpp"
#include "kernels/cuda/weight_layout.hpp"

// What one launch of a matmul kernel is told.

namespace sluice::cuda {

/// A weight, and where its product goes.
struct matmul_part {
  const std::byte* weight;
  const float* bias; // or null
  float* out;        // [tokens, rows]
  std::int64_t out_stride;
  std::int64_t tile_bytes;
  std::int32_t rows;
  std::int32_t tiles; // of 16 rows
  std::int32_t slices;
  std::int32_t parts;       // blocks that share a tile
  std::int64_t first_block; // of the launch
  std::int32_t* counters;   // one a tile of the output
  std::byte* sums;          // [tile of the output, slice, tile_sum_bytes]
};

struct matmul_job {
  const std::byte* x;
  const float* x_scales; // w8a8, fp8
  std::int64_t x_bytes;  // of a row, a multiple of 16
  std::int64_t columns;
  std::int32_t tokens;
  std::int32_t chunks;
  std::int32_t part_count;
  matmul_part parts[most_projections];
};

/// The projection that a block works for.
SLUICE_DEVICE const matmul_part& part_of(const matmul_job& job, int block) {
  int index = 0;
  SLUICE_UNROLL
  for (int i = 1; i < most_projections; ++i)
    if (i < job.part_count && block >= job.parts[i].first_block)
      index = i;
  return job.parts[index];
}

/// The first chunk of a slice.
SLUICE_DEVICE int first_chunk(const matmul_job& job, int slices, int slice) {
  const int groups = (job.chunks + group_chunks - 1) / group_chunks;
  return min(slice_begin(groups, slices, slice) * group_chunks, job.chunks);
}

/// One element of the result, the same way in every kernel.
SLUICE_DEVICE float finished(float sum, const float* bias, int row) {
  return bias ? sum + bias[row] : sum;
}
SLUICE_DEVICE float finished(float sum, float x_scale, float weight_scale,
                             const float* bias, int row) {
  return fma(sum * x_scale, weight_scale, bias ? bias[row] : 0.0f);
}

SLUICE_DEVICE float row_scale(const matmul_job& job, const matmul_part& part,
                              const chunk_layout& layout, int row) {
  const auto* tile = part.weight + row / tile_rows * part.tile_bytes;
  const auto* scales =
      reinterpret_cast<const float*>(tile + tail_offset(layout, job.columns));
  return scales[row % tile_rows];
}

/// Writes out[token][row], if there is such an element.
template <weight_form Form, class Sum>
SLUICE_DEVICE void store_result(const matmul_job& job, const matmul_part& part,
                                int token, int row, Sum sum) {
  if (token >= job.tokens || row >= part.rows)
    return;
  constexpr auto layout = layout_of(Form);
  float& out = part.out[token * part.out_stride + row];
  if constexpr (layout.tail_bytes > 0)
    out = finished(static_cast<float>(sum), job.x_scales[token],
                   row_scale(job, part, layout, row), part.bias, row);
  else
    out = finished(sum, part.bias, row);
}

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/attention_view.hpp"

// The parts of paged_attention, each in a source of its own.

namespace sluice::cuda {

/// What spans leave for their merging: of row i of a launch and head h, span n
/// of those that the row sees is at (i * heads + h) * spans + n.
struct span_results {
  floats2* states; // largest score, sum of weights
  float* sums;     // [.., head_dim]
  int spans;       // room for this many a row
};

struct single_rows {
  const std::int32_t* list; // null: rows first, first + 1, ..
  std::int64_t first;
  std::int64_t count; // of this launch
};

SLUICE_DEVICE std::int64_t row_of(const single_rows& rows, int i) {
  return rows.list ? rows.list[rows.first + i] : rows.first + i;
}

void start_decode(const attention_view& view, const single_rows& rows,
                  const span_results& results, stream& in);
void start_merge(const attention_view& view, const single_rows& rows,
                 const span_results& results, stream& in);
void start_prompt(const attention_view& view, const attention_tile* tiles,
                  std::int64_t count, stream& in);

/// Rounds rows of f32 to i8 or f8_e4m3 with a scale a row.
void start_rounding(const float* x, const std::int32_t* positions,
                    const operand& out, stream& in);

/// Calls with(Cache{}, constant of head_dim) for a cache that kernels take.
template <int HeadDim>
struct head_dim_constant {
  static constexpr int value = HeadDim;
};
template <class With>
void choose_head_dim(std::int64_t head_dim, With with) {
  switch (head_dim) {
  case 16:
    return with(head_dim_constant<16>{});
  case 32:
    return with(head_dim_constant<32>{});
  case 64:
    return with(head_dim_constant<64>{});
  case 96:
    return with(head_dim_constant<96>{});
  case 128:
    return with(head_dim_constant<128>{});
  default:
    return with(head_dim_constant<256>{});
  }
}

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "kernels/cuda/simt.hpp"

// What the kernels of attention are given, and where they find a row's keys.

namespace sluice::cuda {

/// Keys are summed in spans of this many absolute positions and the spans
/// merged in order: a part of the result's definition, not a matter of tuning.
inline constexpr int span_positions = 256;

struct attention_view {
  const std::byte* q; // [rows, heads, head_dim], 2 bytes an element
  kv_view cache;
  device_tables tables;
  const std::int32_t* row_sequences;
  const std::int32_t* positions;
  int heads;
  int group;           // query heads of a kv head
  int page_shift;      // log2(page_tokens)
  int window;          // 0: none
  float scale;         // makes scores exponents of two
  const float* slopes; // [heads], or null
  float slope_unit;    // makes slopes those of unscaled scores
  std::byte* out;      // [rows, heads, head_dim]
  dtype out_type;      // f32 where bytes are made of it afterwards
};

/// The positions that a row sees; none if last is below first.
struct seen_range {
  int first = 0;
  int last = -1;
};
SLUICE_DEVICE seen_range seen_by(const attention_view& view, int position) {
  const int first = view.window > 0 ? position - view.window + 1 : 0;
  return {max(first, 0), position};
}

SLUICE_DEVICE const std::uint32_t* table_of(const attention_view& view,
                                            std::int64_t row) {
  return view.tables.pages + view.row_sequences[row] * view.tables.stride;
}

/// Eight positions of a page: the unit in which keys are found and copied.
inline constexpr int group_keys = 8;

/// The page of the group at a position, without a look at the table where the
/// group is not seen at all: what stands there may be no page.
SLUICE_DEVICE std::uint32_t page_of(const attention_view& view,
                                    const std::uint32_t* table, int position,
                                    const seen_range& seen) {
  const bool wanted =
      position <= seen.last && position + group_keys > seen.first;
  return wanted ? table[position >> view.page_shift] : 0;
}

/// Which head of a token of the cache the group begins with.
SLUICE_DEVICE std::int64_t line_of(const attention_view& view,
                                   std::uint32_t page, int kv_head,
                                   int position) {
  const std::int64_t head = std::int64_t{page} * view.cache.kv_heads + kv_head;
  return (head << view.page_shift) + (position & ((1 << view.page_shift) - 1));
}

SLUICE_DEVICE const std::byte* query_of(const attention_view& view,
                                        std::int64_t row, int head) {
  return view.q + (row * view.heads + head) * view.cache.head_dim * 2;
}

/// ALiBi's slopes of two heads.
SLUICE_DEVICE floats2 slopes_of(const attention_view& view, int a, int b) {
  return {view.slopes[a] * view.slope_unit, view.slopes[b] * view.slope_unit};
}

/// Writes two neighbouring elements of a row's head.
SLUICE_DEVICE void store_pair(const attention_view& view, std::int64_t row,
                              int head, int column, const floats2& x) {
  const std::int64_t at =
      (row * view.heads + head) * view.cache.head_dim + column;
  if (view.out_type == dtype::f32)
    *reinterpret_cast<floats2*>(view.out + at * 4) = x;
  else
    *reinterpret_cast<std::uint32_t*>(view.out + at * 2) =
        view.out_type == dtype::bf16 ? bf16_pair(x.x, x.y) : f16_pair(x.x, x.y);
}

} // namespace sluice::cuda

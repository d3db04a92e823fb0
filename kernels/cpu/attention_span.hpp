// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"
#include "kernels/tensor.hpp"

// Attention works span by span: 512 absolute positions whose softmax and
// weighted sum stand alone, summed tile by tile. Where the cache holds them,
// and the queries that read them.

namespace sluice::SLUICE_ISA {

inline constexpr int span_positions = 512;
inline constexpr int tile_positions = 64; // that are worked on at once
inline constexpr int run_positions = 8;   // neighbours on every page size
inline constexpr int most_head_dim = 256;
inline constexpr int most_queries = 128;

/// Positions [first, end).
struct position_range {
  std::int64_t first;
  std::int64_t end;
};

SLUICE_INLINE std::int64_t lower(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

SLUICE_INLINE std::int64_t higher(std::int64_t a, std::int64_t b) {
  return a > b ? a : b;
}

SLUICE_INLINE position_range both(const position_range& a,
                                  const position_range& b) {
  return {higher(a.first, b.first), lower(a.end, b.end)};
}

/// The smallest range that holds both; an empty one (first >= end) counts not.
SLUICE_INLINE position_range around(const position_range& a,
                                    const position_range& b) {
  if (a.first >= a.end) {
    return b;
  }
  return b.first >= b.end
             ? a
             : position_range{lower(a.first, b.first), higher(a.end, b.end)};
}

/// One kv head of one sequence: where the cache holds a position.
struct kv_rows {
  const kv_view& kv;
  const std::uint32_t* pages;
  std::int64_t kv_head;
  int page_shift; // log2(page_tokens)

  kv_rows(const kv_view& cache, const std::uint32_t* page_table,
          std::int64_t head)
      : kv{cache}, pages{page_table}, kv_head{head},
        page_shift{
            __builtin_ctz(static_cast<unsigned int>(cache.page_tokens))} {}

  /// Index of the position's row in K and V.
  SLUICE_INLINE std::int64_t of(std::int64_t position) const {
    const std::int64_t page = pages[position >> page_shift];
    return ((page * kv.kv_heads + kv_head) << page_shift) +
           (position & (kv.page_tokens - 1));
  }
};

/// Copies the scales of the positions of `range` to `to`, which stands for
/// position `start`, in whole runs.
SLUICE_INLINE void gather_scales(const kv_rows& rows, const float* scales,
                                 const position_range& range,
                                 std::int64_t start, float* to) {
  for (std::int64_t at = range.first / run_positions * run_positions;
       at < range.end; at += run_positions) {
    __builtin_memcpy(to + (at - start), scales + rows.of(at),
                     run_positions * sizeof(float));
  }
}

/// Queries of one sequence, those of one kv head after those of another, and
/// what they see of the span at hand, counted from its start; first >= end:
/// nothing.
struct span_queries {
  int heads; // of K and V
  int count; // for each of them
  float scale;
  const float* q[most_queries];
  position_range seen[most_queries]; // [count], the same for each kv head
};

/// Elements of a head with those that fill up its last vector.
SLUICE_INLINE std::int64_t whole_vectors(std::int64_t head_dim) {
  return (head_dim + lanes - 1) / lanes * lanes;
}

/// Memory of one tile and one kv head. A query's scores become the weights of
/// its positions.
struct tile_scratch {
  static constexpr int stride = tile_positions + 16; // off the cache's sets
  position_range seen[most_queries]; // counted from the tile's start
  alignas(64) float scores[most_queries * stride];
  alignas(64) float keys[most_head_dim * tile_positions];
  alignas(64) float factors[tile_positions];      // a score is factor * (q . k)
  alignas(64) float value_scales[tile_positions]; // of bytes
};

/// Softmax and sums of all queries over the tiles of a span so far; all sums
/// are relative to exp(largest).
struct span_sums {
  alignas(64) float largest[most_queries]; // score; -inf: nothing was seen
  alignas(64) float keep[most_queries];    // what a tile multiplied them by
  alignas(64) float weights[most_queries * lanes]; // of positions, lane by lane
  alignas(64) float values[most_queries * most_head_dim]; // [whole_vectors]
};

/// Calls `use(tile)` for each tile of `range`, cut to it.
template <class Use>
SLUICE_INLINE void each_tile(const position_range& range, const Use& use) {
  for (std::int64_t t = range.first / tile_positions * tile_positions;
       t < range.end; t += tile_positions) {
    use(both({t, t + tile_positions}, range));
  }
}

} // namespace sluice::SLUICE_ISA

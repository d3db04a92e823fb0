// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"
#include "kernels/tensor.hpp"

// One tile of attention: 32 absolute positions of K and V in f32, and the
// online softmax that merges it into a query's running result.

namespace sluice::SLUICE_ISA {

inline constexpr int tile_positions = 32;
inline constexpr int most_head_dim = 256;

/// Rows are padded to whole vectors with 0, which adds nothing to a dot.
struct kv_tile {
  std::int64_t start;  // its first absolute position
  std::int64_t stride; // head_dim rounded up to whole vectors
  std::int64_t head_dim;
  alignas(64) float k[tile_positions * most_head_dim];
  alignas(64) float v[tile_positions * most_head_dim];
};

/// The softmax so far: its largest score, and the sum of exp(score - largest).
/// The weighted sum of V stands in the output row.
struct running_softmax {
  float largest = -__builtin_inff();
  float weight = 0;
};

/// Positions [first, end) of a tile, counted from its start.
struct tile_range {
  int first;
  int end;
};

/// One query head and the part of the tile that it sees.
struct tile_query {
  const float* q;
  float scale;
  tile_range seen;
};

template <class Format>
SLUICE_INLINE void widen(const std::byte* from, std::int64_t n, float* to) {
  for_lanes(
      n,
      [&](std::int64_t i) {
        store(to + i, Format::load(from + i * Format::bytes));
      },
      [&](std::int64_t i, int count) {
        store(to + i, load_some<Format>(from + i * Format::bytes, count));
      });
}

/// Reads positions [first, end) of the tile through the page table.
template <class Format>
void load_tile(const kv_view& kv, const std::uint32_t* pages,
               std::int64_t kv_head, const tile_range& range, kv_tile& tile) {
  tile.head_dim = kv.head_dim;
  tile.stride = (kv.head_dim + lanes - 1) / lanes * lanes;
  for (int j = range.first; j < range.end; ++j) {
    const std::int64_t position = tile.start + j;
    const std::int64_t page = pages[position / kv.page_tokens];
    const std::int64_t row = (page * kv.kv_heads + kv_head) * kv.page_tokens +
                             position % kv.page_tokens;
    const std::int64_t at = row * kv.head_dim * Format::bytes;
    widen<Format>(kv.k + at, kv.head_dim, tile.k + j * tile.stride);
    widen<Format>(kv.v + at, kv.head_dim, tile.v + j * tile.stride);
  }
}

/// scores[j] = scale * q . k[j] for `Keys` positions from j on: one chain of
/// sums a key, several keys at once to fill the pipeline.
template <int Keys>
SLUICE_INLINE void score_keys(const float* q, const kv_tile& tile, int j,
                              float scale, float* scores) {
  vec dots[Keys];
  for (vec& d : dots) {
    d = set(0);
  }
  const float* k = tile.k + j * tile.stride;
  for (std::int64_t i = 0; i < tile.stride; i += lanes) {
    const vec part = load(q + i);
    for (int n = 0; n < Keys; ++n) {
      dots[n] = fma(part, load(k + n * tile.stride + i), dots[n]);
    }
  }
  for (int n = 0; n < Keys; ++n) {
    scores[j + n] = sum(dots[n]) * scale;
  }
}

/// Scores of the whole tile; -infinity outside query.seen.
SLUICE_INLINE void score_tile(const tile_query& query, const kv_tile& tile,
                              float* scores) {
  float q[most_head_dim];
  widen<f32_format>(reinterpret_cast<const std::byte*>(query.q), tile.head_dim,
                    q);
  for (int j = 0; j < tile_positions; ++j) {
    scores[j] = -__builtin_inff();
  }
  int j = query.seen.first;
  for (; j + 8 <= query.seen.end; j += 8) {
    score_keys<8>(q, tile, j, query.scale, scores);
  }
  for (; j < query.seen.end; ++j) {
    score_keys<1>(q, tile, j, query.scale, scores);
  }
}

SLUICE_INLINE float largest_of(const float* scores) {
  vec top = load(scores);
  for (int j = lanes; j < tile_positions; j += lanes) {
    top = max(top, load(scores + j));
  }
  return largest(top);
}

/// Replaces each score by exp(score - top) and returns their sum.
SLUICE_INLINE float exponentiate(float* scores, float top) {
  vec total = set(0);
  for (int j = 0; j < tile_positions; j += lanes) {
    const vec weight = exp(sub(load(scores + j), set(top)));
    store(scores + j, weight);
    total = add(total, weight);
  }
  return sum(total);
}

/// Factors of the running sum and of the tile's sum when they are merged.
struct merge_factors {
  float keep;
  float take;
};

SLUICE_INLINE merge_factors merge(running_softmax& state, float top,
                                  float weight) {
  const float joint = state.largest > top ? state.largest : top;
  const vec keep = exp(set(state.largest - joint));
  const vec take = exp(set(top - joint));
  // All lanes are equal, so `largest` is any of them.
  const merge_factors factors{largest(keep), largest(take)};
  state.weight = state.weight * factors.keep + weight * factors.take;
  state.largest = joint;
  return factors;
}

SLUICE_INLINE void merge_vector(float* out, std::int64_t left, vec tile_sum,
                                const merge_factors& factors, bool fresh) {
  const bool whole = left >= lanes;
  const int count = static_cast<int>(left);
  const vec added = mul(tile_sum, set(factors.take));
  const vec old = fresh ? set(0) : whole ? load(out) : load_some(out, count);
  const vec merged = fma(old, set(factors.keep), added);
  whole ? store(out, merged) : store_some(out, merged, count);
}

/// What the tile adds to a query: its weights and how to merge them.
struct tile_result {
  const float* weights; // [tile_positions]
  merge_factors factors;
  bool fresh; // nothing stands in the output yet
};

/// out = out * keep + take * (sum of weights[j] * v[j], in order of j from 0)
/// for `Vectors` vectors of the head from element i on; returns the next i.
template <int Vectors>
SLUICE_INLINE std::int64_t weigh(const tile_query& query, const kv_tile& tile,
                                 const tile_result& result, std::int64_t i,
                                 float* out) {
  for (; i + Vectors * lanes <= tile.stride; i += Vectors * lanes) {
    vec sums[Vectors];
    for (vec& s : sums) {
      s = set(0);
    }
    for (int j = query.seen.first; j < query.seen.end; ++j) {
      const vec weight = set(result.weights[j]);
      const float* v = tile.v + j * tile.stride + i;
      for (int n = 0; n < Vectors; ++n) {
        sums[n] = fma(weight, load(v + n * lanes), sums[n]);
      }
    }
    for (int n = 0; n < Vectors; ++n) {
      const std::int64_t at = i + n * lanes;
      merge_vector(out + at, tile.head_dim - at, sums[n], result.factors,
                   result.fresh);
    }
  }
  return i;
}

/// Adds one tile to a query's result. Every product and sum depends on the
/// query and the tile's absolute positions alone.
inline void merge_tile(const tile_query& query, const kv_tile& tile,
                       running_softmax& state, float* out) {
  alignas(64) float scores[tile_positions];
  score_tile(query, tile, scores);
  const bool fresh = state.weight == 0;
  const float top = largest_of(scores);
  const float weight = exponentiate(scores, top);
  const tile_result result{scores, merge(state, top, weight), fresh};
  std::int64_t i = weigh<8>(query, tile, result, 0, out);
  i = weigh<4>(query, tile, result, i, out);
  weigh<1>(query, tile, result, i, out);
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_keys.hpp"

// Scores of a tile. Keys stand in the lanes: every dot product is one chain of
// sums over the elements of the head, in order.

namespace sluice::SLUICE_ISA {

template <int Queries, int Vectors>
using dot_products = vec[Queries][Vectors];

/// dots += q * k for one element of the head.
template <int Queries, int Vectors>
SLUICE_INLINE void add_element(const float* const* q, std::int64_t element,
                               const float* keys,
                               dot_products<Queries, Vectors>& dots) {
  vec k[Vectors];
#pragma GCC unroll 4
  for (int n = 0; n < Vectors; ++n) {
    k[n] = load(keys + element * tile_positions + n * lanes);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Queries; ++r) {
    const vec part = set(q[r][element]);
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
      dots[r][n] = fma(part, k[n], dots[r][n]);
    }
  }
}

/// scores = factor * (q . k) of `Queries` queries and `Vectors` vectors of
/// keys.
template <int Queries, int Vectors, class Ahead>
[[gnu::noinline]] void score_block(const float* const* q, const float* keys,
                                   const float* factors, std::int64_t head_dim,
                                   float* scores, Ahead& ahead) {
  constexpr int unrolled = row_prefetcher::lines;
  dot_products<Queries, Vectors> dots;
#pragma GCC unroll 32
  for (int i = 0; i < Queries * Vectors; ++i) {
    dots[i / Vectors][i % Vectors] = set(0);
  }
  std::int64_t i = 0;
  for (; i + unrolled <= head_dim; i += unrolled) {
    const std::byte* lines = ahead.next(unrolled);
#pragma GCC unroll 8
    for (int k = 0; k < unrolled; ++k) {
      ahead.ask(lines, k);
      add_element<Queries, Vectors>(q, i + k, keys, dots);
    }
  }
  for (; i < head_dim; ++i) {
    add_element<Queries, Vectors>(q, i, keys, dots);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Queries; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
      store(scores + r * tile_scratch::stride + n * lanes,
            mul(dots[r][n], load(factors + n * lanes)));
    }
  }
}

/// The same for all keys of `wanted`, counted from the tile's start.
template <int Queries, class Ahead>
SLUICE_INLINE void score_keys(const float* const* q, std::int64_t head_dim,
                              const position_range& wanted,
                              const tile_scratch& scratch, float* scores,
                              Ahead& ahead) {
  auto j = static_cast<int>(wanted.first / lanes * lanes);
  const auto end = static_cast<int>(wanted.end);
  // A block with vectors that nobody wants takes no longer than two small ones.
  for (; j % (key_vectors * lanes) == 0 && j + lanes < end;
       j += key_vectors * lanes) {
    score_block<Queries, key_vectors>(q, scratch.keys + j, scratch.factors + j,
                                      head_dim, scores + j, ahead);
  }
  for (; j < end; j += lanes) {
    score_block<Queries, 1>(q, scratch.keys + j, scratch.factors + j, head_dim,
                            scores + j, ahead);
  }
}

/// Scores of one kv head's queries from `query` on, `Queries` at a time as long
/// as they last; returns the next query.
template <int Queries>
SLUICE_INLINE int score_queries(const float* const* q, int query, int count,
                                std::int64_t head_dim, tile_scratch& scratch,
                                row_prefetcher& ahead) {
  for (; query + Queries <= count; query += Queries) {
    position_range wanted{0, 0};
    for (int r = 0; r < Queries; ++r) {
      wanted = around(wanted, scratch.seen[query + r]);
    }
    float* scores = scratch.scores + query * tile_scratch::stride;
    if (ahead.idle()) {
      no_prefetcher none;
      score_keys<Queries>(q + query, head_dim, wanted, scratch, scores, none);
    } else {
      score_keys<Queries>(q + query, head_dim, wanted, scratch, scores, ahead);
    }
  }
  return query;
}

/// Scores of `count` queries of one kv head with the keys of a tile.
SLUICE_INLINE void score_tile(const float* const* q, int count,
                              std::int64_t head_dim, tile_scratch& scratch,
                              row_prefetcher& ahead) {
  int query = score_queries<4>(q, 0, count, head_dim, scratch, ahead);
  query = score_queries<2>(q, query, count, head_dim, scratch, ahead);
  score_queries<1>(q, query, count, head_dim, scratch, ahead);
}

} // namespace sluice::SLUICE_ISA

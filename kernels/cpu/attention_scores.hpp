// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_span.hpp"

// Scores of a span and their softmax. Keys stand in the lanes: every dot
// product is one chain of sums over the elements of the head, in order.

namespace sluice::SLUICE_ISA {

/// Transposes `lanes` words of `lanes` rows: an element a line of `keys`.
template <class Format>
SLUICE_INLINE void transpose_block(vec (&words)[lanes], float* keys) {
  transpose(words);
  for (const vec& word : words) {
    vec elements[Format::per_word];
    Format::split(word, elements);
    for (const vec& element : elements) {
      store(keys, element);
      keys += tile_positions;
    }
  }
}

/// The last words of rows whose bytes do not fill whole vectors.
template <class Format>
[[gnu::noinline]] void transpose_rest(const std::byte* const* from,
                                      std::int64_t count, float* keys) {
  vec words[lanes];
  for (int n = 0; n < lanes; ++n) {
    float padded[lanes] = {};
    __builtin_memcpy(padded, from[n], static_cast<std::size_t>(count));
    words[n] = load(padded);
  }
  transpose_block<Format>(words, keys);
}

/// Writes `lanes` keys from `position` on into `keys`, an element of the head
/// a line. Positions outside `range` repeat its first or last one: nothing else
/// of the cache is read.
template <class Format>
SLUICE_INLINE void transpose_keys(const kv_rows& rows, std::int64_t position,
                                  const position_range& range, float* keys) {
  constexpr std::int64_t width = lanes * 4;
  const std::int64_t bytes = rows.kv.head_dim * Format::bytes;
  const std::byte* from[lanes];
  for (int n = 0; n < lanes; ++n) {
    const std::int64_t inside =
        lower(higher(position + n, range.first), range.end - 1);
    from[n] = rows.kv.k + rows.of(inside) * bytes;
  }
  std::int64_t at = 0;
  for (; at + width <= bytes; at += width) {
    vec words[lanes];
    for (int n = 0; n < lanes; ++n) {
      words[n] = load(reinterpret_cast<const float*>(from[n]));
      from[n] += width;
    }
    transpose_block<Format>(words, keys + at / Format::bytes * tile_positions);
  }
  if (at < bytes) {
    transpose_rest<Format>(from, bytes - at,
                           keys + at / Format::bytes * tile_positions);
  }
}

/// scores = factor * (q . k) of `Queries` queries and `Vectors` vectors of
/// keys.
template <int Queries, int Vectors>
SLUICE_INLINE void score_block(const float* const* q, const float* keys,
                               const float* factors, std::int64_t head_dim,
                               float* scores) {
  vec dots[Queries][Vectors];
  for (auto& row : dots) {
    for (vec& dot : row) {
      dot = set(0);
    }
  }
  for (std::int64_t i = 0; i < head_dim; ++i) {
    vec k[Vectors];
    for (int n = 0; n < Vectors; ++n) {
      k[n] = load(keys + i * tile_positions + n * lanes);
    }
    for (int r = 0; r < Queries; ++r) {
      const vec part = set(q[r][i]);
      for (int n = 0; n < Vectors; ++n) {
        dots[r][n] = fma(part, k[n], dots[r][n]);
      }
    }
  }
  for (int r = 0; r < Queries; ++r) {
    for (int n = 0; n < Vectors; ++n) {
      store(scores + r * span_scratch::stride + n * lanes,
            mul(dots[r][n], load(factors + n * lanes)));
    }
  }
}

/// Scores of the queries from `query` on, `Queries` at a time as long as they
/// last; returns the next query.
template <int Queries>
SLUICE_INLINE int
score_queries(const span_queries& queries, int query, std::int64_t head_dim,
              const position_range& tile, span_scratch& scratch) {
  for (; query + Queries <= queries.count; query += Queries) {
    position_range wanted{0, 0};
    for (int r = 0; r < Queries; ++r) {
      wanted = around(wanted, both(queries.seen[query + r], tile));
    }
    auto j = static_cast<int>((wanted.first - tile.first) / lanes * lanes);
    const auto end = static_cast<int>(wanted.end - tile.first);
    const float* const* q = queries.q + query;
    float* scores = scratch.scores + query * span_scratch::stride + tile.first;
    for (; j + (key_vectors - 1) * lanes < end; j += key_vectors * lanes) {
      score_block<Queries, key_vectors>(
          q, scratch.keys + j, scratch.factors + j, head_dim, scores + j);
    }
    for (; j < end; j += lanes) {
      score_block<Queries, 1>(q, scratch.keys + j, scratch.factors + j,
                              head_dim, scores + j);
    }
  }
  return query;
}

/// Transposes the keys of one tile that anyone sees, and asks for their values.
template <class Format>
SLUICE_INLINE void load_keys(const kv_rows& rows, const position_range& seen,
                             std::int64_t tile, float* keys) {
  for (std::int64_t j = seen.first / lanes * lanes; j < seen.end; j += lanes) {
    for (std::int64_t r = higher(j, seen.first / run_positions * run_positions);
         r < lower(j + lanes, seen.end); r += run_positions) {
      prefetch_run<Format>(rows, rows.kv.v, r);
    }
    transpose_keys<Format>(rows, j, seen, keys + j - tile);
  }
}

/// Scores of every query at the positions of `seen`, counted from the span's
/// start.
template <class Format>
SLUICE_INLINE void score_span(const kv_rows& rows, const span_queries& queries,
                              std::int64_t start, const position_range& seen,
                              span_scratch& scratch) {
  for (std::int64_t t = seen.first / tile_positions * tile_positions;
       t < seen.end; t += tile_positions) {
    const position_range tile = {t, t + tile_positions};
    const position_range wanted = both(tile, seen);
    load_keys<Format>(rows, {start + wanted.first, start + wanted.end},
                      start + t, scratch.keys);
    for (float& factor : scratch.factors) {
      factor = queries.scale;
    }
    const std::int64_t head_dim = rows.kv.head_dim;
    int query = score_queries<4>(queries, 0, head_dim, tile, scratch);
    query = score_queries<2>(queries, query, head_dim, tile, scratch);
    score_queries<1>(queries, query, head_dim, tile, scratch);
  }
}

/// The largest score of a span, and the sum of exp(score - largest).
struct span_softmax {
  float largest;
  float weight;
};

/// Replaces each score of `seen` by exp(score - largest).
SLUICE_INLINE span_softmax exponentiate(float* scores,
                                        const position_range& seen) {
  const std::int64_t first = seen.first / lanes * lanes;
  const std::int64_t end = (seen.end + lanes - 1) / lanes * lanes;
  for (std::int64_t j = first; j < seen.first; ++j) {
    scores[j] = -__builtin_inff();
  }
  for (std::int64_t j = seen.end; j < end; ++j) {
    scores[j] = -__builtin_inff();
  }
  vec top = set(-__builtin_inff());
  for (std::int64_t j = first; j < end; j += lanes) {
    top = max(top, load(scores + j));
  }
  const float found = largest(top);
  vec total = set(0);
  for (std::int64_t j = first; j < end; j += lanes) {
    const vec weight = exp(sub(load(scores + j), set(found)));
    store(scores + j, weight);
    total = add(total, weight);
  }
  return {found, sum(total)};
}

} // namespace sluice::SLUICE_ISA

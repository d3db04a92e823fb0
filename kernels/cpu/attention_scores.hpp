// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_span.hpp"

// Scores of a span and their softmax. Keys stand in the lanes: every dot
// product is one chain of sums over the elements of the head, in order.

namespace sluice::SLUICE_ISA {

/// `lanes` rows of K: the first 8 from one address on, the others, if any,
/// from another.
struct key_rows {
  const std::byte* run[2];
  std::int64_t bytes; // of a row, whole vectors
};

/// Transposes rows: an element of the head a line of `keys`.
template <class Format>
SLUICE_INLINE void transpose_rows(const key_rows& rows, float* keys,
                                  row_prefetcher& ahead) {
  for (std::int64_t at = 0; at < rows.bytes; at += lanes * 4) {
    for (int n = 0; n < lanes / 4; ++n) {
      ahead.step();
    }
    vec words[lanes];
    for (int n = 0; n < lanes; ++n) {
      words[n] = load(reinterpret_cast<const float*>(
          rows.run[n / run_positions] + n % run_positions * rows.bytes + at));
    }
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
}

/// The general case of transpose_keys: rows are copied and padded with zeros.
template <class Format>
[[gnu::noinline]] void transpose_copied(const kv_rows& rows,
                                        std::int64_t position,
                                        const position_range& range,
                                        float* keys, row_prefetcher& ahead) {
  constexpr std::int64_t width = lanes * 4;
  const std::int64_t bytes = rows.kv.head_dim * Format::bytes;
  const std::int64_t padded = (bytes + width - 1) / width * width;
  alignas(64) std::byte copy[lanes * most_head_dim * 4];
  __builtin_memset(copy, 0, static_cast<std::size_t>(lanes * padded));
  const position_range inside = both(range, {position, position + lanes});
  for (std::int64_t at = inside.first; at < inside.end; ++at) {
    __builtin_memcpy(copy + (at - position) * padded,
                     rows.kv.k + rows.of(at) * bytes,
                     static_cast<std::size_t>(bytes));
  }
  transpose_rows<Format>({{copy, copy + run_positions * padded}, padded}, keys,
                         ahead);
}

/// Writes `lanes` keys from `position` on into `keys`, an element of the head
/// a line; zeros outside `range`, where the cache may hold anything.
template <class Format>
SLUICE_INLINE void transpose_keys(const kv_rows& rows, std::int64_t position,
                                  const position_range& range, float* keys,
                                  row_prefetcher& ahead) {
  const std::int64_t bytes = rows.kv.head_dim * Format::bytes;
  if (bytes % (lanes * 4) != 0 || position < range.first ||
      position + lanes > range.end) {
    return transpose_copied<Format>(rows, position, range, keys, ahead);
  }
  const std::int64_t next = position + (lanes > run_positions ? 8 : 0);
  transpose_rows<Format>({{rows.kv.k + rows.of(position) * bytes,
                           rows.kv.k + rows.of(next) * bytes},
                          bytes},
                         keys, ahead);
}

/// scores = factor * (q . k) of `Queries` queries and `Vectors` vectors of
/// keys.
template <int Queries, int Vectors, class Ahead>
SLUICE_INLINE void score_block(const float* const* q, const float* keys,
                               const float* factors, std::int64_t head_dim,
                               float* scores, Ahead& ahead) {
  vec dots[Queries][Vectors];
  for (auto& row : dots) {
    for (vec& dot : row) {
      dot = set(0);
    }
  }
  for (std::int64_t i = 0; i < head_dim; ++i) {
    ahead.step();
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

/// The same for all keys of `wanted`, counted from the tile's start.
template <int Queries, class Ahead>
SLUICE_INLINE void score_keys(const float* const* q, std::int64_t head_dim,
                              const position_range& wanted,
                              const span_scratch& scratch, float* scores,
                              Ahead& ahead) {
  auto j = static_cast<int>(wanted.first / lanes * lanes);
  const auto end = static_cast<int>(wanted.end);
  for (; j + (key_vectors - 1) * lanes < end; j += key_vectors * lanes) {
    score_block<Queries, key_vectors>(q, scratch.keys + j, scratch.factors + j,
                                      head_dim, scores + j, ahead);
  }
  for (; j < end; j += lanes) {
    score_block<Queries, 1>(q, scratch.keys + j, scratch.factors + j, head_dim,
                            scores + j, ahead);
  }
}

/// Scores of the queries from `query` on, `Queries` at a time as long as they
/// last; returns the next query.
template <int Queries>
SLUICE_INLINE int score_queries(const span_queries& queries, int query,
                                std::int64_t head_dim, std::int64_t tile,
                                span_scratch& scratch, row_prefetcher& ahead) {
  for (; query + Queries <= queries.count; query += Queries) {
    position_range wanted{0, 0};
    for (int r = 0; r < Queries; ++r) {
      const position_range& seen = queries.seen[query + r];
      wanted = around(wanted, both({seen.first - tile, seen.end - tile},
                                   {0, tile_positions}));
    }
    const float* const* q = queries.q + query;
    float* scores = scratch.scores + query * span_scratch::stride + tile;
    if (ahead.idle()) {
      no_prefetcher none;
      score_keys<Queries>(q, head_dim, wanted, scratch, scores, none);
    } else {
      score_keys<Queries>(q, head_dim, wanted, scratch, scores, ahead);
    }
  }
  return query;
}

/// What the dot products of a tile's keys are multiplied by: the scale of the
/// scores and, of i8, of each key.
SLUICE_INLINE void set_factors(const kv_rows& rows, const position_range& range,
                               std::int64_t tile, float scale, float* factors) {
  if (rows.kv.type == dtype::i8) {
    gather_scales(rows, rows.kv.k_scales, range, tile, factors);
  }
  for (int j = 0; j < tile_positions; j += lanes) {
    const vec key = rows.kv.type == dtype::i8 ? load(factors + j) : set(1);
    store(factors + j, mul(key, set(scale)));
  }
}

/// Scores of every query at the positions of `seen`, counted from the span's
/// start.
template <class Format>
SLUICE_INLINE void score_span(const kv_rows& rows, const span_queries& queries,
                              std::int64_t start, const position_range& seen,
                              span_scratch& scratch, row_prefetcher& ahead) {
  for (std::int64_t t = seen.first / tile_positions * tile_positions;
       t < seen.end; t += tile_positions) {
    const position_range wanted = both({t, t + tile_positions}, seen);
    for (std::int64_t j = wanted.first / lanes * lanes; j < wanted.end;
         j += lanes) {
      transpose_keys<Format>(rows, start + j,
                             {start + wanted.first, start + wanted.end},
                             scratch.keys + j - t, ahead);
    }
    set_factors(rows, {start + wanted.first, start + wanted.end}, start + t,
                queries.scale, scratch.factors);
    const std::int64_t head_dim = rows.kv.head_dim;
    int query = score_queries<4>(queries, 0, head_dim, t, scratch, ahead);
    query = score_queries<2>(queries, query, head_dim, t, scratch, ahead);
    score_queries<1>(queries, query, head_dim, t, scratch, ahead);
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

/// Multiplies the weights of `seen` by the scales of their values.
SLUICE_INLINE void scale_weights(float* weights, const float* scales,
                                 const position_range& seen) {
  for (std::int64_t j = seen.first / lanes * lanes; j < seen.end; j += lanes) {
    store(weights + j, mul(load(weights + j), load(scales + j)));
  }
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_prefetch.hpp"

// The weighted sum of V over a span, a tile after the other.

namespace sluice::SLUICE_ISA {

/// Some columns of V over one tile: vectors of the head from element `first`.
template <class Format>
struct value_columns {
  const kv_rows& rows;
  std::int64_t start; // the tile's first position
  std::int64_t first; // element of the head

  std::int64_t row_bytes() const { return rows.kv.head_dim * Format::bytes; }
  std::int64_t sums_stride() const { return whole_vectors(rows.kv.head_dim); }

  SLUICE_INLINE const std::byte* row(std::int64_t j) const {
    return rows.kv.v + rows.of(start + j) * row_bytes() + first * Format::bytes;
  }

  template <int Vectors>
  SLUICE_INLINE void load(const std::byte* from, vec (&v)[Vectors]) const {
    const std::int64_t left = rows.kv.head_dim - first;
    if (Vectors > 1 || left >= lanes) {
      for (int n = 0; n < Vectors; ++n) {
        v[n] = Format::load(from + n * lanes * Format::bytes);
      }
    } else {
      v[0] = load_some<Format>(from, static_cast<int>(left));
    }
  }
};

template <int Queries, int Vectors>
using value_sums = vec[Queries][Vectors];

/// sums[r] += weights[r] * v for the position of `row`.
template <class Format, int Queries, int Vectors>
SLUICE_INLINE void weigh_row(const value_columns<Format>& columns,
                             const std::byte* row, const float* weights,
                             value_sums<Queries, Vectors>& sums) {
  vec v[Vectors];
  columns.load(row, v);
#pragma GCC unroll 8
  for (int r = 0; r < Queries; ++r) {
    const vec weight = set(weights[r * tile_scratch::stride]);
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
      sums[r][n] = fma(weight, v[n], sums[r][n]);
    }
  }
}

/// Adds the positions of `range`, in order, to sums[r * stride + i].
template <class Format, int Queries, int Vectors, class Ahead>
[[gnu::noinline]] void weigh(const value_columns<Format>& columns,
                             const float* weights, const position_range& range,
                             float* sums, Ahead& ahead) {
  const std::int64_t stride = columns.sums_stride();
  value_sums<Queries, Vectors> s;
#pragma GCC unroll 8
  for (int r = 0; r < Queries; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
      s[r][n] = load(sums + r * stride + n * lanes);
    }
  }
  const std::int64_t bytes = columns.row_bytes();
  for (std::int64_t j = range.first; j < range.end;) {
    const std::byte* row = columns.row(j);
    const std::byte* lines = ahead.next(run_positions);
    if (j % run_positions == 0 && j + run_positions <= range.end) {
#pragma GCC unroll 8
      for (int k = 0; k < run_positions; ++k) {
        ahead.ask(lines, k);
        weigh_row<Format, Queries, Vectors>(columns, row + k * bytes,
                                            weights + j + k, s);
      }
      j += run_positions;
      continue;
    }
    const std::int64_t stop = lower(range.end, (j | (run_positions - 1)) + 1);
    for (int line = 0; j < stop; ++j, ++line, row += bytes) {
      ahead.ask(lines, line);
      weigh_row<Format, Queries, Vectors>(columns, row, weights + j, s);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Queries; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < Vectors; ++n) {
      store(sums + r * stride + n * lanes, s[r][n]);
    }
  }
}

/// The positions that all of `count` queries see.
SLUICE_INLINE position_range common(const position_range* seen, int count) {
  position_range all = seen[0];
  for (int r = 1; r < count; ++r) {
    all = both(all, seen[r]);
  }
  return all;
}

/// Sums of `Queries` queries, each over exactly what it sees: together where
/// all of them see, one by one before and behind.
template <class Format, int Queries, int Vectors, class Ahead>
SLUICE_INLINE void weigh_block(const value_columns<Format>& columns,
                               const float* weights, const position_range* seen,
                               float* sums, Ahead& ahead) {
  const position_range all = common(seen, Queries);
  const bool together = Queries > 1 && all.first < all.end;
  const auto weigh_one = [&](int r, const position_range& range) {
    if (range.first < range.end) {
      weigh<Format, 1, Vectors>(columns, weights + r * tile_scratch::stride,
                                range, sums + r * columns.sums_stride(), ahead);
    }
  };
  for (int r = 0; r < Queries; ++r) {
    weigh_one(r, together ? position_range{seen[r].first, all.first} : seen[r]);
  }
  if (!together) {
    return;
  }
  weigh<Format, Queries, Vectors>(columns, weights, all, sums, ahead);
  for (int r = 0; r < Queries; ++r) {
    weigh_one(r, {all.end, seen[r].end});
  }
}

/// The queries of one kv head, and what they see of a tile of its values.
struct value_tile {
  int count;                  // of queries
  const position_range* seen; // [count], within the tile
  const float* weights;       // [count, tile_scratch::stride]
  float* sums;                // [count, sums_stride]
};

/// `Queries` queries at a time as long as they last; returns the next one.
template <class Format, int Queries, int Vectors>
SLUICE_INLINE int weigh_queries(const value_columns<Format>& columns,
                                const value_tile& tile, int query,
                                row_prefetcher& ahead) {
  for (; query + Queries <= tile.count; query += Queries) {
    const float* weights = tile.weights + query * tile_scratch::stride;
    float* sums = tile.sums + query * columns.sums_stride() + columns.first;
    const position_range* seen = tile.seen + query;
    if (ahead.idle()) {
      no_prefetcher none;
      weigh_block<Format, Queries, Vectors>(columns, weights, seen, sums, none);
    } else {
      weigh_block<Format, Queries, Vectors>(columns, weights, seen, sums,
                                            ahead);
    }
  }
  return query;
}

/// All queries, `Vectors` vectors of the head from `columns.first` on.
template <class Format, int Vectors>
SLUICE_INLINE void weigh_columns(const value_columns<Format>& columns,
                                 const value_tile& tile,
                                 row_prefetcher& ahead) {
  constexpr int most = value_queries;
  int query = weigh_queries<Format, most, Vectors>(columns, tile, 0, ahead);
  query = weigh_queries<Format, most / 2, Vectors>(columns, tile, query, ahead);
  weigh_queries<Format, 1, Vectors>(columns, tile, query, ahead);
}

/// Adds the weighted values of the tile at `start` to the sums.
template <class Format>
SLUICE_INLINE void weigh_tile(const kv_rows& rows, std::int64_t start,
                              const value_tile& tile, row_prefetcher& ahead) {
  const std::int64_t head_dim = rows.kv.head_dim;
  std::int64_t i = 0;
  for (; i + 2 * lanes <= head_dim; i += 2 * lanes) {
    weigh_columns<Format, 2>({rows, start, i}, tile, ahead);
  }
  for (; i < head_dim; i += lanes) {
    weigh_columns<Format, 1>({rows, start, i}, tile, ahead);
  }
}

} // namespace sluice::SLUICE_ISA

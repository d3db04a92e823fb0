// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_scores.hpp"

// The weighted sum of V over a span, and its merge into what came before.

namespace sluice::SLUICE_ISA {

/// A query's result so far: values[i] = sum of weight * v[i].
struct running_sum {
  span_softmax state = {-__builtin_inff(), 0};
  float* values = nullptr; // [head_dim]
};

/// Factors of the running sum and of the one that joins it.
struct merge_factors {
  float keep;
  float take;
  bool fresh; // nothing came before
};

SLUICE_INLINE merge_factors merge(span_softmax& state,
                                  const span_softmax& next) {
  if (state.weight == 0) {
    state = next;
    return {0, 1, true};
  }
  const float joint =
      state.largest > next.largest ? state.largest : next.largest;
  const vec keep = exp(set(state.largest - joint));
  const vec take = exp(set(next.largest - joint));
  // All lanes are equal, so `largest` is any of them.
  const merge_factors factors{largest(keep), largest(take), false};
  state.weight = state.weight * factors.keep + next.weight * factors.take;
  state.largest = joint;
  return factors;
}

/// values = values * keep + sums * take for up to `lanes` elements.
SLUICE_INLINE void merge_values(float* values, std::int64_t left, vec sums,
                                const merge_factors& factors) {
  const auto count = static_cast<int>(left);
  if (!factors.fresh) {
    const vec old = left >= lanes ? load(values) : load_some(values, count);
    sums = fma(old, set(factors.keep), mul(sums, set(factors.take)));
  }
  left >= lanes ? store(values, sums) : store_some(values, sums, count);
}

/// Some columns of V over one span: vectors of the head from element `first`.
template <class Format>
struct value_columns {
  const kv_rows& rows;
  std::int64_t start; // the span's first position
  std::int64_t first; // element of the head

  std::int64_t row_bytes() const { return rows.kv.head_dim * Format::bytes; }

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

/// sums[r] += weights[r] * v for the position of `row`.
template <class Format, int Queries, int Vectors>
SLUICE_INLINE void weigh_row(const value_columns<Format>& columns,
                             const std::byte* row, const float* weights,
                             vec (&sums)[Queries][Vectors]) {
  vec v[Vectors];
  columns.load(row, v);
  for (int r = 0; r < Queries; ++r) {
    const vec weight = set(weights[r * span_scratch::stride]);
    for (int n = 0; n < Vectors; ++n) {
      sums[r][n] = fma(weight, v[n], sums[r][n]);
    }
  }
}

/// The same for the positions of `range`, in order.
template <class Format, int Queries, int Vectors, class Ahead>
SLUICE_INLINE void weigh(const value_columns<Format>& columns,
                         const float* weights, const position_range& range,
                         vec* sums, Ahead& ahead) {
  if (range.first >= range.end) {
    return;
  }
  vec s[Queries][Vectors];
  for (int i = 0; i < Queries * Vectors; ++i) {
    s[i / Vectors][i % Vectors] = sums[i];
  }
  const std::int64_t bytes = columns.row_bytes();
  for (std::int64_t j = range.first; j < range.end;) {
    const std::byte* row = columns.row(j);
    const std::int64_t run_end = (j | (run_positions - 1)) + 1;
    if (j + run_positions == run_end && run_end <= range.end) {
      for (int k = 0; k < run_positions; ++k, row += bytes) {
        ahead.step();
        weigh_row(columns, row, weights + j + k, s);
      }
      j = run_end;
    }
    for (const std::int64_t stop = lower(range.end, run_end); j < stop;
         ++j, row += bytes) {
      weigh_row(columns, row, weights + j, s);
    }
  }
  for (int i = 0; i < Queries * Vectors; ++i) {
    sums[i] = s[i / Vectors][i % Vectors];
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
                               vec* sums, Ahead& ahead) {
  const position_range all = common(seen, Queries);
  const bool together = Queries > 1 && all.first < all.end;
  for (int r = 0; r < Queries; ++r) {
    const position_range before = {seen[r].first, all.first};
    weigh<Format, 1, Vectors>(columns, weights + r * span_scratch::stride,
                              together ? before : seen[r], sums + r * Vectors,
                              ahead);
  }
  if (!together) {
    return;
  }
  weigh<Format, Queries, Vectors>(columns, weights, all, sums, ahead);
  for (int r = 0; r < Queries; ++r) {
    weigh<Format, 1, Vectors>(columns, weights + r * span_scratch::stride,
                              {all.end, seen[r].end}, sums + r * Vectors,
                              ahead);
  }
}

/// The sums of a span for queries from `query` on, merged into `results`.
struct span_values {
  const span_queries& queries;
  const span_scratch& scratch;
  const merge_factors* factors;
  running_sum* results;
};

template <class Format, int Queries, int Vectors, class Ahead>
SLUICE_INLINE void weigh_and_merge(const value_columns<Format>& columns,
                                   const span_values& span, int query,
                                   Ahead& ahead) {
  vec sums[Queries * Vectors];
  for (vec& s : sums) {
    s = set(0);
  }
  weigh_block<Format, Queries, Vectors>(
      columns, span.scratch.scores + query * span_scratch::stride,
      span.queries.seen + query, sums, ahead);
  for (int r = 0; r < Queries; ++r) {
    if (span.queries.seen[query + r].first >=
        span.queries.seen[query + r].end) {
      continue;
    }
    for (int n = 0; n < Vectors; ++n) {
      const std::int64_t i = columns.first + n * lanes;
      merge_values(span.results[query + r].values + i,
                   columns.rows.kv.head_dim - i, sums[r * Vectors + n],
                   span.factors[query + r]);
    }
  }
}

/// `Queries` queries at a time as long as they last; returns the next one.
template <class Format, int Queries, int Vectors>
SLUICE_INLINE int weigh_queries(const value_columns<Format>& columns,
                                const span_values& span, int query,
                                row_prefetcher& ahead) {
  for (; query + Queries <= span.queries.count; query += Queries) {
    if (ahead.idle()) {
      no_prefetcher none;
      weigh_and_merge<Format, Queries, Vectors>(columns, span, query, none);
    } else {
      weigh_and_merge<Format, Queries, Vectors>(columns, span, query, ahead);
    }
  }
  return query;
}

/// All queries, `Vectors` vectors of the head from `columns.first` on.
template <class Format, int Vectors>
SLUICE_INLINE void weigh_columns(const value_columns<Format>& columns,
                                 const span_values& span,
                                 row_prefetcher& ahead) {
  constexpr int most = value_queries;
  int query = weigh_queries<Format, most, Vectors>(columns, span, 0, ahead);
  query = weigh_queries<Format, most / 2, Vectors>(columns, span, query, ahead);
  weigh_queries<Format, 1, Vectors>(columns, span, query, ahead);
}

/// The weighted sums of the span at `start`, merged into the results.
template <class Format>
SLUICE_INLINE void weigh_span(const kv_rows& rows, std::int64_t start,
                              const span_values& span, row_prefetcher& ahead) {
  const std::int64_t head_dim = rows.kv.head_dim;
  std::int64_t i = 0;
  for (; i + 2 * lanes <= head_dim; i += 2 * lanes) {
    weigh_columns<Format, 2>({rows, start, i}, span, ahead);
  }
  for (; i < head_dim; i += lanes) {
    weigh_columns<Format, 1>({rows, start, i}, span, ahead);
  }
}

} // namespace sluice::SLUICE_ISA

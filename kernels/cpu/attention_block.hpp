// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_merge.hpp"
#include "kernels/cpu/attention_scores.hpp"
#include "kernels/cpu/attention_softmax.hpp"
#include "kernels/cpu/attention_values.hpp"
#include "kernels/ops.hpp"

// Attention of neighbouring rows of one sequence, one span after the other.

namespace sluice::SLUICE_ISA {

/// Rows of one sequence and the kv heads that they read here: each tile of a
/// kv head serves all of them.
struct block {
  const paged_attention_args& args;
  std::int64_t first_row;
  std::int64_t end_row;
  std::int64_t kv_head; // the first
  std::int64_t kv_heads;

  std::int64_t group() const { return args.heads / args.cache.kv_heads; }

  kv_rows rows(std::int64_t head) const {
    const auto sequence = args.row_sequences.data()[first_row];
    return {args.cache, args.sequences.data()[sequence].data(), kv_head + head};
  }
};

inline std::int64_t span_of(std::int64_t position) {
  return position / span_positions;
}

/// The positions that a row sees.
inline position_range visible(const paged_attention_args& args,
                              std::int64_t row) {
  const std::int64_t end = args.positions.data()[row] + std::int64_t{1};
  return {args.window > 0 ? higher(0, end - args.window) : 0, end};
}

inline position_range visible(const block& at) {
  position_range all{0, 0};
  for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
    all = around(all, visible(at.args, row));
  }
  return all;
}

/// Calls `query(index, row, head)` for every query head of the block.
template <class Query>
void each_query(const block& at, const Query& query) {
  int index = 0;
  const std::int64_t group = at.group();
  for (std::int64_t h = at.kv_head; h < at.kv_head + at.kv_heads; ++h) {
    for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
      for (std::int64_t g = 0; g < group; ++g) {
        query(index++, row, h * group + g);
      }
    }
  }
}

/// Memory of one block; on the stack of the thread that works on it.
struct block_memory {
  span_queries queries;
  running_sum results[most_queries];
  span_sums sums;
  tile_scratch scratch;
  std::int64_t values_stride; // of sums.values

  int query_count() const { return queries.heads * queries.count; }
  float* values(int query) { return sums.values + query * values_stride; }

  /// Of the span that was summed up; weight 0: the query sees none of it.
  span_softmax softmax(int query) const {
    return {sums.largest[query], sum(load(sums.weights + query * lanes))};
  }
};

inline void begin(const block& at, block_memory& memory) {
  const paged_attention_args& args = at.args;
  memory.queries.heads = static_cast<int>(at.kv_heads);
  memory.queries.count =
      static_cast<int>((at.end_row - at.first_row) * at.group());
  memory.queries.scale = args.scale;
  memory.values_stride = whole_vectors(args.cache.head_dim);
  each_query(at, [&](int index, std::int64_t row, std::int64_t head) {
    memory.queries.q[index] =
        args.q.data + row * args.q.row_stride + head * args.cache.head_dim;
  });
}

/// Narrows the queries to the span at `start`; returns what any of them sees,
/// counted from there.
inline position_range look_at(const block& at, std::int64_t start,
                              span_queries& queries) {
  position_range any{0, 0};
  const std::int64_t group = at.group();
  for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
    const position_range all = visible(at.args, row);
    const position_range seen =
        both({all.first - start, all.end - start}, {0, span_positions});
    any = around(any, seen);
    position_range* to = queries.seen + (row - at.first_row) * group;
    for (std::int64_t g = 0; g < group; ++g) {
      to[g] = seen;
    }
  }
  return any;
}

inline void clear(block_memory& memory) {
  const auto count = static_cast<std::size_t>(memory.query_count());
  const auto stride = static_cast<std::size_t>(memory.values_stride);
  for (std::size_t i = 0; i < count; ++i) {
    memory.sums.largest[i] = -__builtin_inff();
  }
  __builtin_memset(memory.sums.weights, 0, count * lanes * sizeof(float));
  __builtin_memset(memory.sums.values, 0, count * stride * sizeof(float));
}

/// Brings the values of `count` queries up to the largest score of a tile.
inline void rescale(block_memory& memory, int first, int count) {
  for (int i = 0; i < count; ++i) {
    const position_range& seen = memory.scratch.seen[i];
    const float keep = memory.sums.keep[first + i];
    if (seen.first < seen.end && keep != 1) {
      float* values = memory.values(first + i);
      for (std::int64_t j = 0; j < memory.values_stride; j += lanes) {
        store(values + j, mul(load(values + j), set(keep)));
      }
    }
  }
}

/// Adds the positions of a tile for the queries of kv head `head`.
/// @param tile  the tile's first position.
template <class Format>
SLUICE_INLINE void add_tile(const block& at, int head, std::int64_t tile,
                            const position_range& positions,
                            block_memory& memory, row_prefetcher& ahead) {
  tile_scratch& scratch = memory.scratch;
  const kv_rows rows = at.rows(head);
  const int count = memory.queries.count;
  const int first = head * count;
  load_keys<Format>(rows, tile, positions, memory.queries.scale, scratch,
                    ahead);
  score_tile(memory.queries.q + first, count, rows.kv.head_dim, scratch, ahead);
  const float* scales = nullptr;
  if (Format::bytes == 1) {
    gather_scales(rows, rows.kv.v_scales, positions, tile,
                  scratch.value_scales);
    scales = scratch.value_scales;
  }
  weigh_positions(scratch, count, memory.sums, first, scales);
  rescale(memory, first, count);
  weigh_tile<Format>(
      rows, tile, {count, scratch.seen, scratch.scores, memory.values(first)},
      ahead);
}

/// Calls `sums(span)` for each span from `first` to `end` that the block sees,
/// when memory.softmax and memory.values hold it.
template <class Format, class Sums>
void each_span(const block& at, std::int64_t first, std::int64_t end,
               block_memory& memory, const Sums& sums) {
  const position_range all =
      both(visible(at), {first * span_positions, end * span_positions});
  const kv_rows rows = at.rows(0);
  row_prefetcher ahead{rows, at.kv_heads,
                       at.args.cache.head_dim * Format::bytes, all};
  span_queries& queries = memory.queries;
  for (std::int64_t span = first; span < end; ++span) {
    const std::int64_t start = span * span_positions;
    const position_range seen = look_at(at, start, queries);
    if (seen.first >= seen.end) {
      continue;
    }
    clear(memory);
    each_tile(seen, [&](const position_range& positions) {
      const std::int64_t tile =
          positions.first / tile_positions * tile_positions;
      ahead.reach(start + tile);
      for (int i = 0; i < queries.count; ++i) {
        memory.scratch.seen[i] =
            both({queries.seen[i].first - tile, queries.seen[i].end - tile},
                 {0, tile_positions});
      }
      for (int head = 0; head < queries.heads; ++head) {
        add_tile<Format>(at, head, start + tile,
                         {start + positions.first, start + positions.end},
                         memory, ahead);
      }
    });
    sums(span);
  }
}

inline void finish(const running_sum& result, std::int64_t head_dim) {
  const float inverse = 1.0f / result.state.weight;
  for (std::int64_t i = 0; i < head_dim; ++i) {
    result.values[i] *= inverse;
  }
}

/// The whole block.
template <class Format>
void attend(const block& at) {
  const paged_attention_args& args = at.args;
  const std::int64_t head_dim = args.cache.head_dim;
  block_memory memory;
  begin(at, memory);
  each_query(at, [&](int index, std::int64_t row, std::int64_t head) {
    memory.results[index] = {
        .values = args.out.data + row * args.out.row_stride + head * head_dim};
  });
  const int count = memory.query_count();
  const position_range all = visible(at);
  each_span<Format>(
      at, span_of(all.first), span_of(all.end - 1) + 1, memory,
      [&](std::int64_t) {
        for (int i = 0; i < count; ++i) {
          const span_softmax next = memory.softmax(i);
          if (next.weight != 0) {
            running_sum& result = memory.results[i];
            const merge_factors factors = merge(result.state, next);
            merge_sums(result.values, memory.values(i), head_dim, factors);
          }
        }
      });
  for (int i = 0; i < count; ++i) {
    finish(memory.results[i], head_dim);
  }
}

} // namespace sluice::SLUICE_ISA

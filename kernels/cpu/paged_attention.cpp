// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_tile.hpp"
#include "kernels/cpu/ops.hpp"

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t most_queries = 128; // rows * query heads of a block

// Neighbouring rows of one sequence and one kv head: they share each tile.
struct block {
  const paged_attention_args& args;
  std::int64_t first_row;
  std::int64_t end_row;
  std::int64_t kv_head;
};

struct range {
  std::int64_t first;
  std::int64_t end;
};

std::int64_t lower(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}
std::int64_t higher(std::int64_t a, std::int64_t b) {
  return a > b ? a : b;
}

// The positions that a row sees.
range visible(const paged_attention_args& args, std::int64_t row) {
  const std::int64_t end = args.positions.data()[row] + std::int64_t{1};
  return {args.window > 0 ? higher(0, end - args.window) : 0, end};
}

range visible(const block& at) {
  range all = visible(at.args, at.first_row);
  for (std::int64_t row = at.first_row + 1; row < at.end_row; ++row) {
    const range one = visible(at.args, row);
    all = {lower(all.first, one.first), higher(all.end, one.end)};
  }
  return all;
}

// The part of a tile inside `seen`; empty if first >= end.
tile_range within(const kv_tile& tile, const range& seen) {
  return {static_cast<int>(higher(seen.first - tile.start, 0)),
          static_cast<int>(lower(seen.end - tile.start, tile_positions))};
}

// Adds one tile to every query of the block that sees part of it.
void add_tile(const block& at, const kv_tile& tile, running_softmax* states) {
  const paged_attention_args& args = at.args;
  const std::int64_t head_dim = args.cache.head_dim;
  const std::int64_t group = args.heads / args.cache.kv_heads;
  for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
    const tile_range seen = within(tile, visible(args, row));
    if (seen.first >= seen.end) {
      continue;
    }
    for (std::int64_t g = 0; g < group; ++g) {
      const std::int64_t column = (at.kv_head * group + g) * head_dim;
      merge_tile({.q = args.q.data + row * args.q.row_stride + column,
                  .scale = args.scale,
                  .seen = seen},
                 tile, states[(row - at.first_row) * group + g],
                 args.out.data + row * args.out.row_stride + column);
    }
  }
}

void finish(const block& at, const running_softmax* states) {
  const paged_attention_args& args = at.args;
  const std::int64_t head_dim = args.cache.head_dim;
  const std::int64_t group = args.heads / args.cache.kv_heads;
  for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
    for (std::int64_t g = 0; g < group; ++g) {
      const std::int64_t column = (at.kv_head * group + g) * head_dim;
      float* out = args.out.data + row * args.out.row_stride + column;
      const float inverse =
          1.0f / states[(row - at.first_row) * group + g].weight;
      for (std::int64_t i = 0; i < head_dim; ++i) {
        out[i] *= inverse;
      }
    }
  }
}

template <class Format>
void attend(const block& at) {
  running_softmax states[most_queries];
  kv_tile tile;
  const auto sequence = at.args.row_sequences.data()[at.first_row];
  const std::uint32_t* pages = at.args.sequences.data()[sequence].data();
  const range all = visible(at);
  for (std::int64_t start = all.first / tile_positions * tile_positions;
       start < all.end; start += tile_positions) {
    tile.start = start;
    load_tile<Format>(at.args.cache, pages, at.kv_head, within(tile, all),
                      tile);
    add_tile(at, tile, states);
  }
  finish(at, states);
}

// Cuts rows [first, end) into runs of one sequence.
template <class Format>
void attend_rows(const paged_attention_args& args, std::int64_t first,
                 std::int64_t end, std::int64_t kv_head) {
  const std::int32_t* sequences = args.row_sequences.data();
  while (first < end) {
    std::int64_t next = first + 1;
    while (next < end && sequences[next] == sequences[first]) {
      ++next;
    }
    attend<Format>({args, first, next, kv_head});
    first = next;
  }
}

// Rows that share a tile's conversion; 1 when most rows are decodes. Does not
// influence the result.
std::int64_t block_rows(const paged_attention_args& args) {
  const auto sequences = static_cast<std::int64_t>(args.sequences.size());
  const std::int64_t group = args.heads / args.cache.kv_heads;
  const std::int64_t most = lower(16, most_queries / group);
  return args.q.rows <= 2 * sequences ? 1 : most;
}

// Whether the whole call takes less time than waking a thread.
bool tiny(const paged_attention_args& args) {
  std::int64_t pairs = 0;
  for (std::int64_t row = 0; row < args.q.rows; ++row) {
    const range seen = visible(args, row);
    pairs += seen.end - seen.first;
  }
  return pairs * args.q.columns < 32768;
}

template <class Format>
void run(const paged_attention_args& args, thread_pool& pool) {
  const std::int64_t rows = args.q.rows;
  const std::int64_t height = block_rows(args);
  const std::int64_t kv_heads = args.cache.kv_heads;
  const auto claim = [&](std::int64_t t) {
    const std::int64_t first = t / kv_heads * height;
    attend_rows<Format>(args, first, lower(first + height, rows), t % kv_heads);
  };
  const std::int64_t claims = (rows + height - 1) / height * kv_heads;
  if (!tiny(args)) {
    return pool.parallel_for(claims, claim);
  }
  for (std::int64_t t = 0; t < claims; ++t) {
    claim(t);
  }
}

} // namespace

void paged_attention(const paged_attention_args& args, thread_pool& pool) {
  check(args);
  switch (args.cache.type) {
  case dtype::f16:
    return run<f16_format>(args, pool);
  case dtype::bf16:
    return run<bf16_format>(args, pool);
  default:
    return run<f32_format>(args, pool);
  }
}

} // namespace sluice::SLUICE_ISA

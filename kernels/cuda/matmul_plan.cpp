// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/matmul_plan.hpp"

#include "kernels/cuda/matmul_library.hpp"
#include "kernels/cuda/matmul_tiles.hpp"
#include "kernels/cuda/ops.hpp"

#include <algorithm>

namespace sluice::cuda {

namespace {

constexpr std::int64_t processors = 132; // of an H100
constexpr int most_slices = 8;
constexpr std::int64_t most_counters = counter_bytes / sizeof(std::int32_t);

std::int64_t quotient_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

std::int64_t groups_of(weight_form form, std::int64_t columns) {
  return quotient_up(chunks_of(layout_of(form), columns), group_chunks);
}

// Four bits make a row of x more than a quarter of 16 rows of weights, so that
// warps had better share what they read of x.
std::int64_t most_skinny_tokens(weight_form form) {
  const bool small = form == weight_form::q4_0 || form == weight_form::q4_k;
  return small ? 4 : skinny_tiles::tokens;
}

int tile_tokens(const matmul_shape& shape) {
  if (shape.tokens <= most_skinny_tokens(shape.form))
    return skinny_tiles::tokens;
  int tokens = 16;
  while (tokens < most_tile_tokens(shape.form) && tokens < shape.tokens)
    tokens *= 2;
  return tokens;
}

std::int64_t row_blocks(std::int64_t rows) {
  return quotient_up(tiles_of(rows), tall_tiles::tiles);
}

std::int64_t tiles_in(const matmul_shape& shape, std::int64_t rows,
                      const matmul_plan& plan) {
  return row_blocks(rows) * quotient_up(shape.tokens, plan.tile_tokens);
}

// Of the sums of all slices, with the counters.
std::size_t sum_bytes(const matmul_shape& shape, const matmul_plan& plan) {
  std::int64_t sums = 0;
  for (std::size_t i = 0; i < shape.rows.size(); ++i)
    sums += tiles_in(shape, shape.rows[i], plan) * plan.slices[i];
  const tall_tiles sizes{shape.form, plan.tile_tokens};
  return counter_bytes + static_cast<std::size_t>(sums) *
                             static_cast<std::size_t>(sizes.tile_sum_bytes());
}

// Of fast mode's skinny kernel, for all projections of a launch: slices until
// some 8 warps a processor read, which matmul_slices() gives each on its own.
int free_skinny_slices(const matmul_shape& shape) {
  std::int64_t tiles = 0;
  for (const auto rows : shape.rows)
    tiles += tiles_of(rows);
  int slices = 1;
  while (slices < most_slices &&
         2 * slices <= groups_of(shape.form, shape.columns) &&
         tiles * slices < std::int64_t{skinny_tiles::warps} * shape.processors)
    slices *= 2;
  return slices;
}

void plan_skinny(const matmul_shape& shape, matmul_plan& plan) {
  const bool free = shape.mode == determinism::fast;
  for (std::size_t i = 0; i < shape.rows.size(); ++i) {
    plan.slices[i] =
        free ? free_skinny_slices(shape)
             : matmul_slices(shape.form, shape.rows[i], shape.columns);
    plan.blocks[i] = quotient_up(tiles_of(shape.rows[i]),
                                 skinny_tiles::warps / plan.slices[i]);
  }
  plan.shared_bytes =
      static_cast<std::size_t>(skinny_tiles{shape.form}.shared_bytes());
}

// Lets blocks share tiles until every processor has one, if the sums of all
// slices find room.
void share_tiles(const matmul_shape& shape, std::int64_t tiles,
                 matmul_plan& plan) {
  const auto bytes = sum_bytes(shape, plan);
  if (tiles >= processors || bytes > shape.workspace_bytes)
    return;
  const auto wanted = quotient_up(processors, tiles);
  for (std::size_t i = 0; i < shape.rows.size(); ++i) {
    while (plan.parts[i] < plan.slices[i] && plan.parts[i] < wanted)
      plan.parts[i] *= 2;
    if (plan.parts[i] > 1)
      plan.workspace_bytes = bytes;
  }
}

// Fast mode: a block has one slice, or all of K, and no totals of several. As
// many blocks share a tile as leave the fewest processors idle in the last of
// their waves; each one more costs its sums' way through memory.
void share_tiles_freely(const matmul_shape& shape, std::int64_t tiles,
                        matmul_plan& plan) {
  const auto cost = [&](int parts) {
    const auto waves = quotient_up(tiles * parts, shape.processors);
    return static_cast<double>(waves) / parts + 0.02 * (parts - 1);
  };
  const auto most =
      std::min<std::int64_t>(most_slices, groups_of(shape.form, shape.columns));
  int best = 1;
  auto tried = plan;
  for (int parts = 2; parts <= most && tiles <= most_counters; ++parts) {
    std::fill_n(tried.slices, shape.rows.size(), parts);
    if (sum_bytes(shape, tried) <= shape.workspace_bytes &&
        cost(parts) < cost(best))
      best = parts;
  }
  std::fill_n(plan.slices, shape.rows.size(), best);
  std::fill_n(plan.parts, shape.rows.size(), best);
  if (best > 1)
    plan.workspace_bytes = sum_bytes(shape, plan);
}

void plan_tall(const matmul_shape& shape, matmul_plan& plan) {
  std::int64_t tiles = 0;
  for (std::size_t i = 0; i < shape.rows.size(); ++i) {
    tiles += tiles_in(shape, shape.rows[i], plan);
    plan.slices[i] = matmul_slices(shape.form, shape.rows[i], shape.columns);
  }
  if (shape.mode == determinism::fast)
    share_tiles_freely(shape, tiles, plan);
  else
    share_tiles(shape, tiles, plan);
  bool totals = false;
  for (std::size_t i = 0; i < shape.rows.size(); ++i) {
    plan.blocks[i] = tiles_in(shape, shape.rows[i], plan) * plan.parts[i];
    totals = totals || (plan.parts[i] == 1 && plan.slices[i] > 1);
  }
  const tall_tiles sizes{shape.form, plan.tile_tokens};
  plan.shared_bytes = static_cast<std::size_t>(sizes.shared_bytes(totals));
  plan.tile_sum_bytes = sizes.tile_sum_bytes();
}

} // namespace

int matmul_slices(weight_form form, std::int64_t rows, std::int64_t columns) {
  const auto tiles = tiles_of(rows);
  int slices = tiles >= 768 ? 1 : tiles >= 512 ? 2 : tiles >= 256 ? 4 : 8;
  while (slices > groups_of(form, columns))
    slices /= 2;
  return slices;
}

matmul_plan plan_matmul(const matmul_shape& shape) {
  matmul_plan plan{.tile_tokens = tile_tokens(shape)};
  if (plan.skinny()) {
    plan_skinny(shape, plan);
    return plan;
  }
  plan_tall(shape, plan);
  // Smaller tiles where a processor has too little shared memory.
  while (plan.tile_tokens > 16 && plan.shared_bytes > shape.shared_bytes) {
    plan = {.tile_tokens = plan.tile_tokens / 2};
    plan_tall(shape, plan);
  }
  return plan;
}

std::size_t matmul_workspace_bytes(std::int64_t most_rows,
                                   std::int64_t most_outputs,
                                   determinism mode) {
  const std::int64_t tile_bytes = most_rows <= 64 ? 32 << 10 : 64 << 10;
  const auto tokens = quotient_up(std::max<std::int64_t>(most_rows, 1), 64);
  const auto tiles = (most_outputs / 128 + most_projections) * tokens;
  const auto sums = static_cast<std::size_t>(std::min(tiles, processors) *
                                             most_slices * tile_bytes);
  const bool library = mode == determinism::fast && most_rows >= library_rows;
  return counter_bytes + std::max(sums, library ? library_bytes : 0);
}

} // namespace sluice::cuda

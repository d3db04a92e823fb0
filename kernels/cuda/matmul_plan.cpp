// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/matmul_plan.hpp"

#include "kernels/cuda/matmul_tiles.hpp"
#include "kernels/cuda/ops.hpp"

#include <algorithm>

namespace sluice::cuda {

namespace {

constexpr std::int64_t processors = 132; // of an H100
constexpr int most_slices = 8;

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

std::size_t sum_bytes(const matmul_shape& shape, std::int64_t rows,
                      int tokens) {
  const auto slices = matmul_slices(shape.form, rows, shape.columns);
  const auto tiles = row_blocks(rows) * quotient_up(shape.tokens, tokens);
  return static_cast<std::size_t>(tiles * slices) *
         static_cast<std::size_t>(
             tall_tiles{shape.form, tokens}.tile_sum_bytes());
}

void plan_skinny(const matmul_shape& shape, matmul_plan& plan) {
  for (std::size_t i = 0; i < shape.rows.size(); ++i) {
    const auto slices = matmul_slices(shape.form, shape.rows[i], shape.columns);
    plan.blocks[i] =
        quotient_up(tiles_of(shape.rows[i]), skinny_tiles::warps / slices);
  }
  plan.shared_bytes =
      static_cast<std::size_t>(skinny_tiles{shape.form}.shared_bytes());
}

// Lets blocks share tiles until every processor has one, if the sums of all
// slices find room.
void share_tiles(const matmul_shape& shape, std::int64_t tiles,
                 matmul_plan& plan) {
  auto bytes = counter_bytes;
  for (const auto rows : shape.rows)
    bytes += sum_bytes(shape, rows, plan.tile_tokens);
  if (tiles >= processors || bytes > shape.workspace_bytes)
    return;
  const auto wanted = quotient_up(processors, tiles);
  for (std::size_t i = 0; i < shape.rows.size(); ++i) {
    const auto slices = matmul_slices(shape.form, shape.rows[i], shape.columns);
    while (plan.parts[i] < slices && plan.parts[i] < wanted)
      plan.parts[i] *= 2;
    if (plan.parts[i] > 1)
      plan.workspace_bytes = bytes;
  }
}

void plan_tall(const matmul_shape& shape, matmul_plan& plan) {
  const auto tiles_in = [&](std::int64_t rows) {
    return row_blocks(rows) * quotient_up(shape.tokens, plan.tile_tokens);
  };
  std::int64_t tiles = 0;
  for (const auto rows : shape.rows)
    tiles += tiles_in(rows);
  share_tiles(shape, tiles, plan);
  bool totals = false;
  for (std::size_t i = 0; i < shape.rows.size(); ++i) {
    plan.blocks[i] = tiles_in(shape.rows[i]) * plan.parts[i];
    totals =
        totals || (plan.parts[i] == 1 &&
                   matmul_slices(shape.form, shape.rows[i], shape.columns) > 1);
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
                                   std::int64_t most_outputs) {
  const std::int64_t tile_bytes = most_rows <= 64 ? 32 << 10 : 64 << 10;
  const auto tokens = quotient_up(std::max<std::int64_t>(most_rows, 1), 64);
  const auto tiles = (most_outputs / 128 + most_projections) * tokens;
  return counter_bytes + static_cast<std::size_t>(std::min(tiles, processors) *
                                                  most_slices * tile_bytes);
}

} // namespace sluice::cuda

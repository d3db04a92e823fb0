// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/matmul_chunk.hpp"
#include "kernels/cuda/matmul_job.hpp"
#include "kernels/cuda/matmul_tiles.hpp"
#include "kernels/cuda/matmul_totals.hpp"

// More rows of x: a block multiplies 128 rows of a weight with 16 to 128
// tokens. Up to some 64 tokens the weights' way from memory bounds it, more
// the tensor cores. Weights and x come in stages of asynchronous copies; the
// weights lie in shared memory as in device memory, and each warp turns codes
// to bf16 for itself, once for all of its tokens. Of 128 tokens, a warp's
// 64 x 64 sums cost 128 bytes of shared memory a product of m16n8k16, which
// loads keep up with.

namespace sluice::cuda {

/// Where a block works.
struct tall_place {
  int first_tile; // of 16 rows
  int first_token;
  int output_tile; // of the projection: which counter and sums are its
  int part;        // 0 .. parts - 1
};

SLUICE_DEVICE tall_place place_in(const matmul_job& job,
                                  const matmul_part& part, int tile_tokens) {
  const int columns = (job.tokens + tile_tokens - 1) / tile_tokens;
  int block = static_cast<int>(block_x() - part.first_block);
  const int column = block % columns; // neighbours read the same weights
  block /= columns;
  const int row = block / part.parts;
  return {row * tall_tiles::tiles, column * tile_tokens, row * columns + column,
          block % part.parts};
}

/// x in a stage: [chunk][token][4 pieces of 16 bytes], two pieces exchanged
/// with the other two in every other pair of tokens, so that neither reads of
/// 16 bytes nor of 8 meet in a bank.
SLUICE_DEVICE int x_piece(int token, int piece) {
  return token * 4 + (piece ^ (token & 2));
}

template <weight_form Form>
SLUICE_DEVICE void load_tall_x(x_registers& b, const std::byte* chunk,
                               int token) {
  const int t = lane() % 4;
  if constexpr (layout_of(Form).sixteens) {
    const int within = t % 2 * 8;
    const auto low = *reinterpret_cast<const words2*>(
        chunk + 16 * x_piece(token, t / 2) + within);
    const auto high = *reinterpret_cast<const words2*>(
        chunk + 16 * x_piece(token, 2 + t / 2) + within);
    b[0] = low.x, b[1] = low.y, b[2] = high.x, b[3] = high.y;
  } else {
    const auto all =
        *reinterpret_cast<const words4*>(chunk + 16 * x_piece(token, t));
    b[0] = all.x, b[1] = all.y, b[2] = all.z, b[3] = all.w;
  }
}

/// (Rolled loops: the sums leave no registers for an unrolled one's addresses.)
/// The block's copies of the chunks from `chunk` on, up to `end`.
template <weight_form Form, int Tokens>
struct tall_copies {
  static constexpr tall_tiles sizes{Form, Tokens};

  const matmul_job& job;
  const matmul_part& part;
  tall_place place;
  int end;

  SLUICE_DEVICE void weights(int chunk, std::byte* stage) const {
    constexpr auto layout = layout_of(Form);
    constexpr int chunk_pieces = layout.bytes() / 16;
    constexpr int quant_pieces = sizes.stage_chunks * chunk_pieces;
    constexpr int tile_pieces = sizes.weight_bytes / 16;
    constexpr int all = tall_tiles::tiles * tile_pieces;
    const int pieces = min(end - chunk, sizes.stage_chunks) * chunk_pieces;
    SLUICE_ROLLED
    for (int i = thread(); i < all; i += tall_tiles::threads) {
      const int tile = i / tile_pieces;
      const int piece = i % tile_pieces;
      if (place.first_tile + tile >= part.tiles)
        return;
      const auto* from =
          part.weight + (place.first_tile + tile) * part.tile_bytes;
      if (piece < pieces)
        copy_async16(stage + 16 * i,
                     from + chunk_offset(layout, chunk) + 16 * piece, true);
      else if (piece >= quant_pieces)
        copy_async16(stage + 16 * i,
                     from + header_offset(layout, chunk / group_chunks) +
                         16 * (piece - quant_pieces),
                     true);
    }
  }

  SLUICE_DEVICE void x(int chunk, std::byte* stage) const {
    constexpr int all = sizes.stage_chunks * Tokens * 4;
    auto* to = stage + tall_tiles::tiles * sizes.weight_bytes;
    SLUICE_ROLLED
    for (int i = thread(); i < all; i += tall_tiles::threads) {
      const int c = i / (Tokens * 4);
      const int token = i / 4 % Tokens;
      const auto at = std::int64_t{chunk + c} * chunk_x_bytes + i % 4 * 16;
      const bool valid = place.first_token + token < job.tokens &&
                         chunk + c < end && at < job.x_bytes;
      const auto* from = job.x + (place.first_token + token) * job.x_bytes + at;
      copy_async16(to + c * Tokens * chunk_x_bytes + 16 * x_piece(token, i % 4),
                   valid ? from : job.x, valid);
    }
  }
};

/// A thread's sums, [row tile of the warp, column tile][4].
template <weight_form Form, int Tokens>
using tall_sums = sum_of<Form>[tall_tiles{Form, Tokens}.sums()][4];

/// sums += one chunk of a stage.
template <weight_form Form, int Tokens>
SLUICE_DEVICE void multiply_tall(tall_sums<Form, Tokens>& sums,
                                 const std::byte* stage, int c) {
  constexpr auto layout = layout_of(Form);
  constexpr tall_tiles sizes{Form, Tokens};
  constexpr int columns = sizes.column_tiles();
  const int row_warp = warp() / sizes.column_warps();
  const int column_warp = warp() % sizes.column_warps();

  const auto* x = stage + tall_tiles::tiles * sizes.weight_bytes +
                  c * Tokens * chunk_x_bytes;
  x_registers b[columns];
  x_sums<Form> added[columns];
  SLUICE_UNROLL
  for (int n = 0; n < columns; ++n) {
    load_tall_x<Form>(b[n], x, (column_warp * columns + n) * 8 + lane() / 4);
    added[n].add_up(b[n]);
  }
  SLUICE_UNROLL
  for (int m = 0; m < sizes.row_tiles(); ++m) {
    const auto* tile =
        stage + (row_warp * sizes.row_tiles() + m) * sizes.weight_bytes;
    weight_chunk<Form> weight;
    weight.load(tile + c * layout.bytes(),
                tile + sizes.stage_chunks * layout.bytes());
    SLUICE_UNROLL
    for (int n = 0; n < columns; ++n)
      weight.multiply(sums[m * columns + n], b[n], added[n]);
  }
}

template <weight_form Form, int Tokens>
SLUICE_DEVICE void store_tall(const matmul_job& job, const matmul_part& part,
                              const tall_place& place,
                              const tall_sums<Form, Tokens>& sums) {
  constexpr tall_tiles sizes{Form, Tokens};
  const int tile =
      place.first_tile + warp() / sizes.column_warps() * sizes.row_tiles();
  const int token = place.first_token +
                    warp() % sizes.column_warps() * sizes.column_tiles() * 8;
  SLUICE_UNROLL
  for (int m = 0; m < sizes.row_tiles(); ++m)
    SLUICE_UNROLL
  for (int n = 0; n < sizes.column_tiles(); ++n)
    SLUICE_UNROLL
  for (int i = 0; i < 4; ++i)
    store_result<Form>(job, part, token + n * 8 + lane() % 4 * 2 + i % 2,
                       (tile + m) * tile_rows + lane() / 4 + i / 2 * 8,
                       sums[m * sizes.column_tiles() + n][i]);
}

// Shared memory has room for two blocks of a processor, so that nothing is
// gained by registers for more.
template <weight_form Form, int Tokens>
SLUICE_KERNEL(tall_tiles::threads, 2)
tall_matmul_kernel(SLUICE_CONSTANT matmul_job job) {
  constexpr tall_tiles sizes{Form, Tokens};
  const auto& part = part_of(job, block_x());
  const auto place = place_in(job, part, Tokens);
  const int slices = part.slices / part.parts; // of this block
  int slice = place.part * slices;
  const int begin = first_chunk(job, part.slices, slice);
  const int end = first_chunk(job, part.slices, slice + slices);
  auto* const shared = shared_memory<std::byte>();
  const tall_copies<Form, Tokens> copies{job, part, place, end};

  // The first weights are on their way before x is there.
  for (int i = 0; i < sizes.stages - 1; ++i)
    if (begin + i * sizes.stage_chunks < end)
      copies.weights(begin + i * sizes.stage_chunks,
                     shared + i * sizes.stage_bytes);
  let_next_kernel_start();
  wait_for_previous_kernel();
  for (int i = 0; i < sizes.stages - 1; ++i) {
    if (begin + i * sizes.stage_chunks < end)
      copies.x(begin + i * sizes.stage_chunks, shared + i * sizes.stage_bytes);
    copy_async_commit();
  }

  tall_sums<Form, Tokens> sums = {};
  slice_totals<sum_of<Form>, sizes.sums()> totals{
      part, place.output_tile, shared + sizes.stages * sizes.stage_bytes};
  int border = first_chunk(job, part.slices, slice + 1);
  int slot = 0;
  for (int chunk = begin; chunk < end; chunk += sizes.stage_chunks) {
    copy_async_wait<sizes.stages - 2>();
    sync_block(); // and all have left the stage before
    const int ahead = chunk + (sizes.stages - 1) * sizes.stage_chunks;
    if (ahead < end) {
      auto* free_stage = shared + (slot == 0 ? sizes.stages - 1 : slot - 1) *
                                      sizes.stage_bytes;
      copies.weights(ahead, free_stage);
      copies.x(ahead, free_stage);
    }
    copy_async_commit();

    SLUICE_UNROLL
    for (int c = 0; c < sizes.stage_chunks; ++c)
      if (chunk + c < end)
        multiply_tall<Form, Tokens>(sums, shared + slot * sizes.stage_bytes, c);
    slot = slot == sizes.stages - 1 ? 0 : slot + 1;
    if (chunk + sizes.stage_chunks >= border && slices > 1) {
      totals.take(sums, slice);
      border = first_chunk(job, part.slices, ++slice + 1);
    }
  }
  if (slices == 1 && part.parts > 1)
    totals.take(sums, slice);
  if (totals.give(sums, shared))
    store_tall<Form, Tokens>(job, part, place, sums);
}

} // namespace sluice::cuda

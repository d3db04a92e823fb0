// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/matmul_chunk.hpp"
#include "kernels/cuda/matmul_job.hpp"
#include "kernels/cuda/matmul_tiles.hpp"

// 1 to 8 rows of x: bound by the memory that weights stream from. A warp sums
// 16 rows of a weight over one slice of K, its weights on their way in a ring
// of asynchronous copies that it shares with nobody; x, which a cache has, goes
// to registers one stage ahead. The slices of a row meet in shared memory.

namespace sluice::cuda {

/// Starts the copies of a stage: up to two chunks, and the group's header.
template <weight_form Form>
SLUICE_DEVICE void copy_skinny_stage(const std::byte* tile, int chunk, int end,
                                     std::byte* to) {
  constexpr auto layout = layout_of(Form);
  constexpr int chunk_pieces = layout.bytes() / 16;
  constexpr int quant_pieces = skinny_tiles::stage_chunks * chunk_pieces;
  constexpr int all_pieces = quant_pieces + layout.header_bytes / 16;
  const int pieces =
      min(end - chunk, skinny_tiles::stage_chunks) * chunk_pieces;
  const auto* from = tile + chunk_offset(layout, chunk);
  SLUICE_UNROLL
  for (int first = 0; first < all_pieces; first += warp_lanes) {
    const int i = first + lane();
    if (i < pieces)
      copy_async16(to + 16 * i, from + 16 * i, true);
    else if (i >= quant_pieces && i < all_pieces)
      copy_async16(to + 16 * i,
                   tile + header_offset(layout, chunk / group_chunks) +
                       16 * (i - quant_pieces),
                   true);
  }
}

/// The lane's x of a stage; zeros past x's end and for tokens that are not.
template <weight_form Form>
SLUICE_DEVICE void load_skinny_x(x_registers (&b)[2], const matmul_job& job,
                                 int chunk) {
  constexpr bool sixteens = layout_of(Form).sixteens;
  const int token = lane() / 4;
  SLUICE_UNROLL
  for (int c = 0; c < skinny_tiles::stage_chunks; ++c) {
    const auto at = std::int64_t{chunk + c} * chunk_x_bytes;
    // A row ends with a whole step, at least: of blocks, with a whole chunk.
    const auto last =
        sixteens ? at + chunk_x_bytes : at + 16 * (lane() % 4 + 1);
    if (token < job.tokens && last <= job.x_bytes)
      load_x<Form>(b[c], job.x + token * job.x_bytes + at);
    else
      b[c][0] = b[c][1] = b[c][2] = b[c][3] = 0;
  }
}

/// The warp's sums over its slice.
template <weight_form Form>
SLUICE_DEVICE void sum_slice(const matmul_job& job, const std::byte* tile,
                             int begin, int end, std::byte* ring,
                             sum_of<Form> (&sum)[4]) {
  constexpr auto layout = layout_of(Form);
  constexpr skinny_tiles sizes{Form};
  constexpr int chunks = skinny_tiles::stage_chunks;
  for (int i = 0; i < sizes.stages - 1; ++i) {
    if (begin + i * chunks < end)
      copy_skinny_stage<Form>(tile, begin + i * chunks, end,
                              ring + i * sizes.stage_bytes);
    copy_async_commit();
  }
  let_next_kernel_start();
  wait_for_previous_kernel(); // which made x

  x_registers x[2];
  x_registers next[2];
  load_skinny_x<Form>(next, job, begin);
  int slot = 0;
  for (int chunk = begin; chunk < end; chunk += chunks) {
    SLUICE_UNROLL
    for (int c = 0; c < chunks; ++c)
      SLUICE_UNROLL
    for (int i = 0; i < 4; ++i)
      x[c][i] = next[c][i];
    copy_async_wait<sizes.stages - 2>();
    sync_warp(); // and all lanes have left the stage before
    const int ahead = chunk + (sizes.stages - 1) * chunks;
    const int free_slot = slot == 0 ? sizes.stages - 1 : slot - 1;
    if (ahead < end)
      copy_skinny_stage<Form>(tile, ahead, end,
                              ring + free_slot * sizes.stage_bytes);
    copy_async_commit();
    load_skinny_x<Form>(next, job, chunk + chunks);

    const auto* stage = ring + slot * sizes.stage_bytes;
    SLUICE_UNROLL
    for (int c = 0; c < chunks; ++c)
      if (chunk + c < end) {
        weight_chunk<Form> weight;
        weight.load(stage + c * layout.bytes(),
                    stage + chunks * layout.bytes());
        x_sums<Form> sums;
        sums.add_up(x[c]);
        weight.multiply(sum, x[c], sums);
      }
    slot = slot == sizes.stages - 1 ? 0 : slot + 1;
  }
}

/// Adds the slices of the block's rows in order and stores the results.
template <weight_form Form>
SLUICE_DEVICE void add_slices(const matmul_job& job, const matmul_part& part,
                              int first_tile, const sum_of<Form>* sums) {
  constexpr int tokens = skinny_tiles::tokens;
  constexpr int warp_sums = tokens * skinny_tiles::sum_stride;
  const int tiles = skinny_tiles::warps / part.slices;
  for (int i = thread(); i < tiles * tokens * tile_rows; i += threads()) {
    const int tile = i / (tokens * tile_rows);
    const int token = i / tile_rows % tokens;
    const int row = i % tile_rows;
    const auto* from = sums + tile * part.slices * warp_sums +
                       token * skinny_tiles::sum_stride + row;
    auto total = from[0];
    for (int slice = 1; slice < part.slices; ++slice)
      total = total + from[slice * warp_sums];
    store_result<Form>(job, part, token, (first_tile + tile) * tile_rows + row,
                       total);
  }
}

template <weight_form Form>
SLUICE_KERNEL(skinny_tiles::warps* warp_lanes)
skinny_matmul_kernel(SLUICE_CONSTANT matmul_job job) {
  constexpr skinny_tiles sizes{Form};
  const auto& part = part_of(job, block_x());
  const int first_tile = static_cast<int>(block_x() - part.first_block) *
                         (skinny_tiles::warps / part.slices);
  const int tile = first_tile + warp() / part.slices;
  const int slice = warp() % part.slices;
  const int begin = first_chunk(job, part.slices, slice);
  const int end =
      tile < part.tiles ? first_chunk(job, part.slices, slice + 1) : begin;

  sum_of<Form> sum[4] = {};
  sum_slice<Form>(job, part.weight + tile * part.tile_bytes, begin, end,
                  shared_memory<std::byte>() + warp() * sizes.ring_bytes(),
                  sum);

  sync_block(); // the rings become the sums
  auto* sums = shared_memory<sum_of<Form>>();
  auto* own = sums + warp() * skinny_tiles::tokens * skinny_tiles::sum_stride;
  SLUICE_UNROLL
  for (int i = 0; i < 4; ++i)
    own[(lane() % 4 * 2 + i % 2) * skinny_tiles::sum_stride + lane() / 4 +
        i / 2 * 8] = sum[i];
  sync_block();
  add_slices<Form>(job, part, first_tile, sums);
}

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/matmul_job.hpp"
#include "kernels/cuda/matmul_library.hpp"

#include <algorithm>

// Before and after a product of the library: weights become rows, and int32
// sums become f32. Both are bound by memory.

namespace sluice::cuda {
namespace {

constexpr int unpack_warps = 8;
constexpr int scale_threads = 256;
constexpr int strip_step = 128; // rows

struct unpack_job {
  const std::byte* tiles;
  std::byte* rows; // [.., row_bytes]
  std::int64_t tile_bytes;
  std::int64_t row_bytes;
  std::int32_t chunks;
};

// Of bf16, f16 and w8a8 alike, a lane has 16 neighbouring bytes of a chunk's 64
// of two rows: see weight_layout.hpp. x: the tile.
SLUICE_KERNEL(unpack_warps* warp_lanes)
unpack_kernel(unpack_job job) {
  constexpr int chunk_bytes = layout_of(weight_form::bf16).bytes();
  static_assert(chunk_bytes == layout_of(weight_form::w8a8).bytes());
  const std::int64_t tile = block_x();
  const auto* from = job.tiles + tile * job.tile_bytes + 16 * lane();
  const auto row = tile * tile_rows + lane() / 4;
  for (int chunk = warp(); chunk < job.chunks; chunk += unpack_warps) {
    const auto at = std::int64_t{chunk} * chunk_x_bytes + lane() % 4 * 16;
    if (at >= job.row_bytes)
      continue; // the last chunk may be a part of one
    const auto* here = from + std::int64_t{chunk} * chunk_bytes;
    const auto a = load_streaming(reinterpret_cast<const words4*>(here));
    const auto b = load_streaming(reinterpret_cast<const words4*>(here + 512));
    auto* to = job.rows + row * job.row_bytes + at;
    *reinterpret_cast<words4*>(to) = {a.x, a.z, b.x, b.z};
    *reinterpret_cast<words4*>(to + 8 * job.row_bytes) = {a.y, a.w, b.y, b.w};
  }
}

struct scale_job {
  matmul_job product; // its scales of x
  matmul_part part;
  std::int32_t first_row;
  std::int32_t rows;
};

// x: row of x.
SLUICE_KERNEL(scale_threads) scale_kernel(SLUICE_CONSTANT scale_job job) {
  constexpr auto layout = layout_of(weight_form::w8a8);
  const int token = block_x();
  auto* out = job.part.out + token * job.part.out_stride;
  for (int i = thread(); i < job.rows; i += threads()) {
    const int row = job.first_row + i;
    const auto sum = static_cast<std::int32_t>(bits_of(out[row]));
    out[row] = finished(sum, job.product.x_scales[token],
                        row_scale(job.product, job.part, layout, row),
                        job.part.bias, row);
  }
}

// What the library can multiply as it is.
bool is_of_library(const matmul_args& args, const device_projection& one) {
  const auto form = one.weight.form;
  const bool dense = form == weight_form::bf16 || form == weight_form::f16;
  return args.mode == determinism::fast && args.x.rows >= library_rows &&
         ((dense && !one.bias) || form == weight_form::w8a8);
}

// x times a few rows of a weight at a time: as many as there is room for once
// they are unpacked.
struct library_run {
  const matmul_args& args;
  const device_projection& one;
  std::span<std::byte> unpacked;
  std::span<std::byte> workspace;

  bool integer() const { return one.weight.form == weight_form::w8a8; }
  std::int64_t row_bytes() const {
    return one.weight.columns * (integer() ? 1 : 2);
  }
  std::int64_t bytes_of_tile() const {
    return tile_bytes(layout_of(one.weight.form), one.weight.columns);
  }

  // Of one strip; all are alike, but the last. 0: there is no room.
  std::int64_t strip_rows() const {
    const auto room = static_cast<std::int64_t>(unpacked.size()) / row_bytes();
    const auto most = room / strip_step * strip_step;
    if (most == 0)
      return 0;
    const auto strips = (one.weight.rows + most - 1) / most;
    const auto even = (one.weight.rows + strips - 1) / strips;
    return (even + strip_step - 1) / strip_step * strip_step;
  }

  void unpack(std::int64_t first, std::int64_t rows, stream& in) const {
    const auto chunks =
        chunks_of(layout_of(one.weight.form), one.weight.columns);
    const unpack_job job{.tiles = one.weight.data +
                                  first / tile_rows * bytes_of_tile(),
                         .rows = unpacked.data(),
                         .tile_bytes = bytes_of_tile(),
                         .row_bytes = row_bytes(),
                         .chunks = static_cast<std::int32_t>(chunks)};
    launch(in,
           {.grid_x = static_cast<std::uint32_t>(tiles_of(rows)),
            .threads = unpack_warps * warp_lanes},
           unpack_kernel, job);
  }

  bool multiply(std::int64_t first, std::int64_t rows, stream& in) const {
    return start_library({.type = args.x.type,
                          .x = args.x.data,
                          .weight = unpacked.data(),
                          .out = one.out.data + first,
                          .out_stride = one.out.row_stride,
                          .tokens = args.x.rows,
                          .rows = rows,
                          .columns = one.weight.columns,
                          .workspace = workspace},
                         in);
  }

  void scale(std::int64_t first, std::int64_t rows, stream& in) const {
    scale_job job{};
    job.product.x_scales = args.x.scales;
    job.product.columns = one.weight.columns;
    job.part.weight = one.weight.data;
    job.part.bias = one.bias;
    job.part.out = one.out.data;
    job.part.out_stride = one.out.row_stride;
    job.part.tile_bytes = bytes_of_tile();
    job.first_row = static_cast<std::int32_t>(first);
    job.rows = static_cast<std::int32_t>(rows);
    launch(in,
           {.grid_x = static_cast<std::uint32_t>(args.x.rows),
            .threads = static_cast<std::uint32_t>(std::min<std::int64_t>(
                scale_threads,
                (rows + warp_lanes - 1) / warp_lanes * warp_lanes))},
           scale_kernel, job);
  }

  bool start(stream& in) const {
    const auto step = strip_rows();
    if (step == 0)
      return false;
    for (std::int64_t first = 0; first < one.weight.rows; first += step) {
      const auto rows = std::min(step, one.weight.rows - first);
      unpack(first, rows, in);
      if (!multiply(first, rows, in))
        return false; // what was done is done again by our kernels
      if (integer())
        scale(first, rows, in);
    }
    return true;
  }
};

} // namespace

bool multiply_by_library(const matmul_args& args, const device_projection& one,
                         stream& in) {
  if (!is_of_library(args, one) || library_name().empty())
    return false;
  constexpr auto taken = counter_bytes + library_workspace_bytes;
  if (!args.workspace || args.workspace_bytes <= taken)
    return false;
  const std::span<std::byte> all{args.workspace, args.workspace_bytes};
  const library_run run{args, one, all.subspan(taken),
                        all.subspan(counter_bytes, library_workspace_bytes)};
  return run.start(in);
}

} // namespace sluice::cuda

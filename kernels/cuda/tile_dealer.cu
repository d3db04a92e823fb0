// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/tile_dealer.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/weight_layout.hpp"

// Bound by the memory that is written: the pool stays in a cache.

namespace sluice::cuda {
namespace {

constexpr int deal_threads = 256;

struct deal_job {
  const std::byte* pool;
  std::byte* out;
  std::int64_t tile_bytes;
  std::int64_t tail; // offset
  std::uint32_t pool_tiles;
  std::uint32_t seed;
  std::int32_t chunk_bytes;
  std::int32_t group_bytes;
};

SLUICE_DEVICE std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

// The number of the chunk, header or tail that a byte of a tile belongs to.
SLUICE_DEVICE std::uint32_t part_at(const deal_job& job, std::int64_t offset) {
  constexpr int parts = group_chunks + 1; // of a group, with its header
  if (offset >= job.tail)
    return 0xffffffffu;
  const auto group = offset / job.group_bytes;
  const auto chunk = offset % job.group_bytes / job.chunk_bytes;
  return static_cast<std::uint32_t>(group * parts +
                                    min(static_cast<int>(chunk), group_chunks));
}

// x: the tile.
SLUICE_KERNEL(deal_threads) deal_kernel(deal_job job) {
  const std::int64_t tile = block_x();
  const auto salt = mixed(static_cast<std::uint32_t>(tile) + job.seed);
  for (std::int64_t at = 16 * thread(); at < job.tile_bytes;
       at += 16 * threads()) {
    const std::int64_t from =
        multiply_high(mixed(part_at(job, at) + salt), job.pool_tiles);
    *reinterpret_cast<words4*>(job.out + tile * job.tile_bytes + at) =
        *reinterpret_cast<const words4*>(job.pool + from * job.tile_bytes + at);
  }
}

} // namespace

void deal_tiles(const tile_pool& from, const device_weight& to, std::byte* data,
                std::uint32_t seed, stream& in) {
  require(from.tiles != nullptr && from.count > 0 && data != nullptr,
          "deal_tiles: give it a pool of tiles and memory to fill");
  const auto layout = layout_of(to.form);
  const deal_job job{
      .pool = from.tiles,
      .out = data,
      .tile_bytes =
          static_cast<std::int64_t>(device_tile_bytes(to.form, to.columns)),
      .tail = tail_offset(layout, to.columns),
      .pool_tiles = static_cast<std::uint32_t>(from.count),
      .seed = seed,
      .chunk_bytes = layout.bytes(),
      .group_bytes = group_chunks * layout.bytes() + layout.header_bytes};
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(tiles_of(to.rows)),
          .threads = deal_threads},
         deal_kernel, job);
}

} // namespace sluice::cuda

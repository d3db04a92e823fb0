// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/device_weight.hpp"
#include "kernels/cuda/runtime.hpp"

// Weights that are made on the device, for benchmarks.

namespace sluice::cuda {

/// A few packed tiles, from which a whole matrix is dealt out: chunk by chunk,
/// header by header, each from a tile that a hash of its place chooses. So a
/// matrix is as valid as its pool, of whatever form.
struct tile_pool {
  const std::byte* tiles = nullptr; // device memory, of `weight`'s width
  std::int64_t count = 0;
};

/// @param to    its data is written: device_tile_bytes() for each 16 rows.
/// @param seed  other weights of the same pool.
/// @throws contract_violation.
void deal_tiles(const tile_pool& from, const device_weight& to, std::byte* data,
                std::uint32_t seed, stream& in);

} // namespace sluice::cuda

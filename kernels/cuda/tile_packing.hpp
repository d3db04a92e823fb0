// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/device_weight.hpp"

namespace sluice::cuda {

/// Writes one row into its tile, which holds zeros there.
/// @param row      row_bytes(type, columns) bytes, any alignment.
/// @param at       0 .. 15, the row's place in the tile.
/// @param tile     device_tile_bytes() bytes.
void pack_tile_row(dtype type, const std::byte* row, std::int64_t columns,
                   int at, std::byte* tile);

/// Reads it back as f32.
/// @param out  `columns` elements.
void unpack_tile_row(weight_form form, const std::byte* tile,
                     std::int64_t columns, int at, float* out);

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/panel_simd.hpp"
#include "kernels/cpu/projection.hpp"

// x as dense panels read it: tiles of neighbouring rows, each a sequence of
// chunks of 64 bytes a row, so that the same k of all rows of a tile lie
// together and a tile is read in one stream.

namespace sluice::SLUICE_ISA {

inline constexpr std::int64_t chunk_bytes = 64;

/// The most rows of a tile: as many as two panels' sums leave registers for.
inline constexpr int tile_rows =
    panel_rows >= 16 ? 12 : (panel_rows >= 8 ? 6 : 4);

/// Where one row lies.
struct tiled_row {
  std::int64_t start;  // bytes
  std::int64_t stride; // bytes from one chunk to the next

  template <class T>
  T* at(T* tiles, std::int64_t k) const {
    constexpr std::int64_t in_chunk = chunk_bytes / sizeof(T);
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(tiles) + start +
                                k / in_chunk * stride) +
           k % in_chunk;
  }
};

/// The tiles of x [rows, columns]; tile t of T holds the rows from
/// rows * t / T on, so that all have nearly one height.
struct tiled_rows {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t element_bytes;

  std::int64_t tiles() const { return (rows + tile_rows - 1) / tile_rows; }

  std::int64_t chunks() const {
    return (columns * element_bytes + chunk_bytes - 1) / chunk_bytes;
  }

  std::int64_t first_row(std::int64_t tile) const {
    return rows * tile / tiles();
  }

  /// Bytes in front of a tile.
  std::int64_t offset(std::int64_t tile) const {
    return first_row(tile) * chunks() * chunk_bytes;
  }

  tiled_row row(std::int64_t m) const {
    const std::int64_t tile = ((m + 1) * tiles() - 1) / rows;
    const std::int64_t first = first_row(tile);
    return {offset(tile) + (m - first) * chunk_bytes,
            (first_row(tile + 1) - first) * chunk_bytes};
  }
};

} // namespace sluice::SLUICE_ISA

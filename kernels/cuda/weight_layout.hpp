// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/device_weight.hpp"

#include <cstdint>

// Where every element of a weight matrix lies in device memory, for the host
// that packs it and the kernels that read it.
//
// A matrix is a list of tiles of 16 rows. A tile is a list of chunks, each as
// many columns as 64 bytes of x: 32, or 64 of bytes. A chunk holds what two
// steps of mma (m16n8k16, or k32 of bytes) read as operand a, in the order of
// their registers, so that a lane reads its share in one piece, and behind it
// the scales of its blocks. Eight chunks are a group, which may have a header
// behind it. Tiles stand apart, so a matrix can be packed by parts of 16 rows.
//
// A lane of mma's group g = lane / 4 owns the rows h = 0: g and h = 1: g + 8
// of a tile, and as t = lane % 4 a quarter of the columns. The sum of a step
// may take columns in any order as long as x is read in the same one; we take
// the order in which a lane's columns of x are neighbours, too. Register
// h + 2 r of step s holds elements e = 0 (lower half) and 1 of
//   j = 4 s + 2 r + e, the column 8 t + j of the chunk;
// or, where blocks of 16 need steps of their own,
//   the column 16 s + 4 t + 2 r + e;
// of bytes (int8 or f8_e4m3): byte b of the column 16 t + 8 s + 4 r + b.

namespace sluice::cuda {

inline constexpr int tile_rows = 16;
inline constexpr int group_chunks = 8;
inline constexpr int chunk_x_bytes = 64; // of a row of x

/// What a form's chunks are made of. Offsets: quants, then scales.
struct chunk_layout {
  int columns;      // elements of a row
  int quant_bytes;  // of 16 rows
  int scale_bytes;  // of 16 rows
  int header_bytes; // of 16 rows of a group
  int tail_bytes;   // of 16 rows, behind a tile's last chunk
  bool sixteens;    // a step is a block of 16 columns

  constexpr int bytes() const { return quant_bytes + scale_bytes; }
};

//          quants                          scales, by g
// bf16 f16 [s][lane] 4 registers           none
// q8_0     [lane][s][h] 4 int8: bytes      f16 [h]
//          r + 2 e
// q4_0     [lane][h] 8 nibbles:            f16 [h]
//          2 s + r + 4 e
// q4_k     as q4_0                         scale[h], minimum[h] of 6 bits in
//                                          bytes; header: f16 {d, dmin}[h]
// q6_k     as q4_0, the lower 4 bits;      int8 [h][s]; header: f16 d[h]
//          then [lane] upper 2 bits at
//          2 (4 h + 2 s + r) + 16 e
// block8   as q8_0                         [s] first: f32 scale[h], minimum[h]
// w8a8 fp8 [s][lane] 4 registers           none; tail: f32 [16 rows]
constexpr chunk_layout layout_of(weight_form form) {
  switch (form) {
  case weight_form::bf16:
  case weight_form::f16:
    return {32, 1024, 0, 0, 0, false};
  case weight_form::q8_0:
    return {32, 512, 32, 0, 0, false};
  case weight_form::q4_0:
    return {32, 256, 32, 0, 0, false};
  case weight_form::q4_k:
    return {32, 256, 32, 64, 0, false};
  case weight_form::q6_k:
    return {32, 384, 32, 32, 0, true};
  case weight_form::block8:
    return {32, 512, 256, 0, 0, true};
  case weight_form::w8a8:
  case weight_form::fp8:
    break;
  }
  return {64, 1024, 0, 0, 64, false};
}

constexpr std::int64_t chunks_of(const chunk_layout& layout,
                                 std::int64_t columns) {
  return (columns + layout.columns - 1) / layout.columns;
}

constexpr std::int64_t tiles_of(std::int64_t rows) {
  return (rows + tile_rows - 1) / tile_rows;
}

/// From a tile's start. Chunks up to the group's end follow each other.
constexpr std::int64_t chunk_offset(const chunk_layout& layout,
                                    std::int64_t chunk) {
  return chunk * layout.bytes() + chunk / group_chunks * layout.header_bytes;
}

/// Only whole groups have a header.
constexpr std::int64_t header_offset(const chunk_layout& layout,
                                     std::int64_t group) {
  return chunk_offset(layout, group * group_chunks) +
         std::int64_t{group_chunks} * layout.bytes();
}

constexpr std::int64_t tail_offset(const chunk_layout& layout,
                                   std::int64_t columns) {
  return chunk_offset(layout, chunks_of(layout, columns));
}

constexpr std::int64_t tile_bytes(const chunk_layout& layout,
                                  std::int64_t columns) {
  return tail_offset(layout, columns) + layout.tail_bytes;
}

/// Where an element of a 16 x chunk block goes: lane, half h of its two rows,
/// and j = 4 s + 2 r + e, or 8 s + 4 r + b of bytes.
struct element_place {
  int lane;
  int half;
  int j;
};

constexpr element_place place_of(const chunk_layout& layout, int row,
                                 int column) {
  const int part = layout.columns / 4;
  const int t = layout.sixteens ? column % 16 / 4 : column / part;
  const int j = layout.sixteens ? column / 16 * 4 + column % 4 : column % part;
  return {row % 8 * 4 + t, row / 8, j};
}

} // namespace sluice::cuda

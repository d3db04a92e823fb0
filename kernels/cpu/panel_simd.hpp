// SPDX-License-Identifier: Apache-2.0
#pragma once

// The primitives that the panel kernels are written against, besides those of
// simd.hpp. SLUICE_PANEL_HEADER names the header that defines them. A line is
// `line_bytes` long: 4 neighbouring elements of K of every row of a panel, row
// after row.
//
// A SLUICE_PANEL_HEADER defines, in namespace sluice::SLUICE_ISA:
//   panel_rows                 rows of a panel = lanes of vec and ints
//   few_columns                most rows of x that are multiplied with weights
//                              unpacked in registers
//   tall_columns               rows of x in a tile of two panels, more of them
//   bytes, ints                a line of unsigned codes; one int32 a row
//   load_line store_line       aligned
//   low_nibbles high_nibbles combine(a, b) = a | b
//   move_bits(line, from, to, mask)   bit `from` of each byte to bit `to`,
//                              then & mask
//   look_up(table, codes)      table[code] of 16 entries
//   broadcast_four(p)          4 int8 of x to every row
//   broadcast(i32), broadcast_two(p)  an int32, a pair of int16 to every row
//   dot(sums, codes, x)        sums + the exact products, codes below 128
//   dot_wide(sums, codes, x)   the same for codes up to 255, provided that the
//                              sums start with wide_start(-sum of x): together
//                              they make the sum of (code - 128) * x
//   wide_start(-sum of x), times_power_of_two(ints, exponent)
//   dot_pairs(sums, p, x)      sums + the products of 2 u8 a row at p with the
//                              pair of int16 of broadcast_two
//   add mul to_float           of ints
//   load_u8 load_i8            one byte a row to ints; load_f16 of simd.hpp
//   low_half high_half         the nibbles of bytes in ints
//   load_e8m0_half(p)          2^(byte - 128), one byte a row
//   prefetch(p)                into the nearest cache

#include "kernels/cpu/simd.hpp"

#include SLUICE_PANEL_HEADER

namespace sluice::SLUICE_ISA {

inline constexpr std::int64_t line_bytes = 4 * panel_rows;

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/cpu/panel_simd.hpp"
#include "kernels/tensor.hpp"

// How a panel of quantised weights lies in memory. A panel is a sequence of
// groups of 256 k, as x is quantised; the last one may hold fewer blocks of
// 32 k. A group is its scales (rounded up to whole lines), then block after
// block the codes: unsigned, cut into planes of 8, 4, 2 or 1 bits. A plane of b
// bits has b lines a block; the four k's number j = 0..7 of a block stand in
// line j % b, from bit (j / b) * b of each byte on.

namespace sluice::SLUICE_ISA {

inline constexpr int group_blocks = 8;
inline constexpr std::int64_t group_columns = 32 * group_blocks;

/// The scales of a group, for every row side by side.
enum class scale_kind {
  f16_per_32,         // [blocks] scale
  f16_and_min_per_32, // [blocks] {scale, min}
  e8m0_per_32,        // [blocks] exponent
  super_32,           // d in f16, [8] i8
  super_32_and_min,   // d, dmin in f16, [8] u8, [4] pairs of u8 mins
  super_16,           // d in f16, [16] i8
  super_16_and_min,   // d, dmin in f16, [16] scale | min << 4
  row                 // none; one f32 a row in front of the first group
};

/// What a code of 4 bits stands for.
enum class code_table { none, iq4, mxfp4 };

struct panel_format {
  int low_bits;      // of a code, in the first lines of a block
  int high_bits;     // the bits above them, in the lines behind; may be 0
  int zero_exponent; // code 2^zero_exponent is 0; -1: code 0 is
  scale_kind scales;
  code_table table = code_table::none;
};

inline constexpr std::uint8_t iq4_codes[16] = {
    1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
inline constexpr std::uint8_t mxfp4_codes[16] = {16, 17, 18, 19, 20, 22, 24, 28,
                                                 16, 15, 14, 13, 12, 10, 8,  4};

inline constexpr panel_format q8_0_panels{8, 0, 7, scale_kind::f16_per_32};
inline constexpr panel_format q4_0_panels{4, 0, 3, scale_kind::f16_per_32};
inline constexpr panel_format q4_1_panels{4, 0, -1,
                                          scale_kind::f16_and_min_per_32};
inline constexpr panel_format q5_0_panels{4, 1, 4, scale_kind::f16_per_32};
inline constexpr panel_format q5_1_panels{4, 1, -1,
                                          scale_kind::f16_and_min_per_32};
inline constexpr panel_format q2_k_panels{2, 0, -1,
                                          scale_kind::super_16_and_min};
inline constexpr panel_format q3_k_panels{2, 1, 2, scale_kind::super_16};
inline constexpr panel_format q4_k_panels{4, 0, -1,
                                          scale_kind::super_32_and_min};
inline constexpr panel_format q5_k_panels{4, 1, -1,
                                          scale_kind::super_32_and_min};
inline constexpr panel_format q6_k_panels{4, 2, 5, scale_kind::super_16};
inline constexpr panel_format iq4_nl_panels{4, 0, 7, scale_kind::f16_per_32,
                                            code_table::iq4};
inline constexpr panel_format iq4_xs_panels{4, 0, 7, scale_kind::super_32,
                                            code_table::iq4};
inline constexpr panel_format mxfp4_panels{4, 0, 4, scale_kind::e8m0_per_32,
                                           code_table::mxfp4};
inline constexpr panel_format w8a8_panels{8, 0, 7, scale_kind::row};

/// Codes above 127, which some paths multiply in another way.
constexpr bool is_wide(const panel_format& format) {
  return format.zero_exponent == 7;
}

constexpr int largest_code(const panel_format& format) {
  if (format.table == code_table::none) {
    return (1 << (format.low_bits + format.high_bits)) - 1;
  }
  int largest = 0;
  for (int i = 0; i < 16; ++i) {
    const int code =
        format.table == code_table::iq4 ? iq4_codes[i] : mxfp4_codes[i];
    largest = code > largest ? code : largest;
  }
  return largest;
}

constexpr std::int64_t scale_bytes(scale_kind kind, int blocks) {
  constexpr std::int64_t r = panel_rows;
  std::int64_t bytes = 0;
  switch (kind) {
  case scale_kind::f16_per_32:
    bytes = 2 * r * blocks;
    break;
  case scale_kind::f16_and_min_per_32:
    bytes = 4 * r * blocks;
    break;
  case scale_kind::e8m0_per_32:
    bytes = r * blocks;
    break;
  case scale_kind::super_32:
    bytes = 2 * r + 8 * r;
    break;
  case scale_kind::super_32_and_min:
    bytes = 4 * r + 16 * r;
    break;
  case scale_kind::super_16:
    bytes = 2 * r + 16 * r;
    break;
  case scale_kind::super_16_and_min:
    bytes = 4 * r + 16 * r;
    break;
  case scale_kind::row:
    break;
  }
  return (bytes + line_bytes - 1) / line_bytes * line_bytes;
}

constexpr std::int64_t block_lines(const panel_format& format) {
  return format.low_bits + format.high_bits;
}

constexpr std::int64_t group_bytes(const panel_format& format, int blocks) {
  return scale_bytes(format.scales, blocks) +
         blocks * block_lines(format) * line_bytes;
}

/// Bytes in front of the first group.
constexpr std::int64_t head_bytes(const panel_format& format) {
  return format.scales == scale_kind::row ? (4 * panel_rows + 63) / 64 * 64 : 0;
}

/// Blocks of group g of a row of `columns`.
constexpr int blocks_of(std::int64_t columns, std::int64_t g) {
  const std::int64_t left = columns - g * group_columns;
  return static_cast<int>(left < group_columns ? (left + 31) / 32
                                               : group_blocks);
}

} // namespace sluice::SLUICE_ISA

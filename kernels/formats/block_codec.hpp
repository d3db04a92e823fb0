// SPDX-License-Identifier: Apache-2.0
#pragma once

// The block formats of GGUF files, one `block_codec` each. All numbers are
// little-endian; d, m and dmin are IEEE halves; "nibbles" of n bytes hold 2 n
// quants: byte i the quant i in its lower and the quant i + n in its upper
// half. Quants are unsigned unless an offset is named.
// @source ggml's block structures and the gguf package's numpy definitions.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sluice::formats {

/// How one storage block becomes f32 and back.
struct block_codec {
  /// Reads block_bytes, writes block_elements.
  void (*expand)(const std::byte* block, float* out);
  /// Reads block_elements finite values, writes block_bytes. Deterministic.
  void (*pack)(const float* in, std::byte* block);
};

// Blocks of 32.
//   q8_0   d, 32 int8:                      x = d q
//   q4_0   d, nibbles[16]:                  x = d (q - 8)
//   q4_1   d, m, nibbles[16]:               x = d q + m
//   q5_0   d, bit4[4], nibbles[16]:         x = d (q - 16)
//   q5_1   d, m, bit4[4], nibbles[16]:      x = d q + m
// bit4 is one 32-bit number; its bit i is the fifth bit of quant i.
extern const block_codec q8_0, q4_0, q4_1, q5_0, q5_1;

// Super-blocks of 256 with a scale s and a minimum t for each part:
//   q2_k   16 parts of 16. st[16] (part i: s lower, t upper half of byte i),
//          quants[64], d, dmin.               x = d s q - dmin t
//   q4_k   8 parts of 32. d, dmin, st[12] (6 bits each, see six_bits.hpp),
//          quants[128].                       x = d s q - dmin t
//   q5_k   as q4_k, with bit4[32] before the quants; bit i of byte l belongs
//          to element l of part i.
// Quants of q4_k and q5_k: 4 runs of nibbles[32], each of two parts. Quants of
// q2_k: 2 runs of 32 bytes; bits 2 g, 2 g + 1 of byte l belong to element
// 32 g + l of the run's 128.
extern const block_codec q2_k, q4_k, q5_k;

// Super-blocks of 256 with a signed scale s for each of 16 parts of 16:
//   q3_k   bit2[32], quants[64] as q2_k, s[12] (6 bits each, less 32), d.
//          Bit i of bit2's byte l belongs to element 32 i + l.
//          x = d s (q - 4)
//   q6_k   low[128], high[64], 16 int8 s, d. Of each 128 elements, 64 bytes of
//          low and 32 of high: element 32 g + l has its lower 4 bits in byte
//          l + 32 (g % 2), half g / 2 of low, its upper two in bits 2 g,
//          2 g + 1 of high's byte l.        x = d s (q - 32)
extern const block_codec q3_k, q6_k;

// Quants that number the entries of a table:
//   iq4_nl  32: d, nibbles[16].               x = d table[q]
//   iq4_xs  256 in 8 parts of 32: d, high[2], low[4], 8 runs of nibbles[16];
//           s of part i: nibble i % 2 of low[i / 2], bits 2 i, 2 i + 1 of high
//           above it, less 32.                x = d s table[q]
//   mxfp4   32: e, nibbles[16].  x = 2^(e - 128) table[q], the table holding
//           twice the values of a 4-bit float (1 sign, 2 exponent, 1 mantissa)
extern const block_codec iq4_nl, iq4_xs, mxfp4;

/// The table of iq4_nl and iq4_xs, rising, and the one of mxfp4.
inline constexpr std::int8_t iq4_values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
inline constexpr std::int8_t mxfp4_values[16] = {
    0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// A row of `w8a8`: columns int8, then one f32 scale, x = scale q.
void expand_w8a8_row(const std::byte* row, float* out, std::size_t columns);
/// scale = largest magnitude / 127.
void pack_w8a8_row(const float* in, std::byte* row, std::size_t columns);

/// A row of `fp8`: columns f8_e4m3, then one f32 scale.
void expand_fp8_row(const std::byte* row, float* out, std::size_t columns);
/// scale = largest magnitude / 448.
void pack_fp8_row(const float* in, std::byte* row, std::size_t columns);

inline std::uint16_t load_u16(const std::byte* data) {
  std::uint16_t bits;
  std::memcpy(&bits, data, sizeof bits);
  return bits;
}

inline void store_u16(std::byte* data, std::uint16_t bits) {
  std::memcpy(data, &bits, sizeof bits);
}

} // namespace sluice::formats

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"

// Panels of sixteen rows: a line is one register of 64 bytes, and the byte
// products are VNNI's, unsigned times signed. The contract is in
// panel_simd.hpp.

namespace sluice::SLUICE_ISA {

inline constexpr std::int64_t panel_rows = 16;
inline constexpr int few_columns = 8;
inline constexpr int tall_columns = 6;

using bytes = __m512i;
using ints = __m512i;

SLUICE_INLINE bytes load_line(const std::byte* p) {
  return _mm512_load_si512(p);
}
SLUICE_INLINE void store_line(std::byte* p, bytes line) {
  _mm512_store_si512(p, line);
}

SLUICE_INLINE bytes low_nibbles(bytes pairs) {
  return _mm512_and_si512(pairs, _mm512_set1_epi8(15));
}
SLUICE_INLINE bytes high_nibbles(bytes pairs) {
  return low_nibbles(_mm512_srli_epi16(pairs, 4));
}

SLUICE_INLINE bytes move_bits(bytes plane, int from, int to, int mask) {
  const bytes moved =
      from > to ? _mm512_srli_epi16(plane, static_cast<unsigned>(from - to))
                : _mm512_slli_epi16(plane, static_cast<unsigned>(to - from));
  return _mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(mask)));
}
SLUICE_INLINE bytes combine(bytes a, bytes b) {
  return _mm512_or_si512(a, b);
}
SLUICE_INLINE bytes look_up(const std::uint8_t* table, bytes codes) {
  const __m128i entries =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), codes);
}

SLUICE_INLINE bytes broadcast_four(const std::int8_t* p) {
  std::int32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return _mm512_set1_epi32(four);
}
SLUICE_INLINE ints broadcast(std::int32_t value) {
  return _mm512_set1_epi32(value);
}
SLUICE_INLINE ints broadcast_two(const std::int16_t* p) {
  std::int32_t two;
  __builtin_memcpy(&two, p, sizeof two);
  return _mm512_set1_epi32(two);
}

SLUICE_INLINE ints dot(ints sums, bytes codes, bytes x) {
  return _mm512_dpbusd_epi32(sums, codes, x);
}
SLUICE_INLINE ints dot_wide(ints sums, bytes codes, bytes x) {
  return _mm512_dpbusd_epi32(sums, codes, x);
}
SLUICE_INLINE ints wide_start(ints negative_sum) {
  return _mm512_slli_epi32(negative_sum, 7);
}
SLUICE_INLINE ints times_power_of_two(ints x, int exponent) {
  return _mm512_slli_epi32(x, static_cast<unsigned>(exponent));
}
SLUICE_INLINE ints dot_pairs(ints sums, const std::byte* pairs, ints x) {
  return _mm512_dpwssd_epi32(sums, _mm512_cvtepu8_epi16(load_32_bytes(pairs)),
                             x);
}

SLUICE_INLINE ints add(ints a, ints b) {
  return _mm512_add_epi32(a, b);
}
SLUICE_INLINE ints mul(ints a, ints b) {
  return _mm512_mullo_epi32(a, b);
}
SLUICE_INLINE vec to_float(ints x) {
  return _mm512_cvtepi32_ps(x);
}

SLUICE_INLINE __m128i load_16_bytes(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
SLUICE_INLINE ints load_u8(const std::byte* p) {
  return _mm512_cvtepu8_epi32(load_16_bytes(p));
}
SLUICE_INLINE ints load_i8(const std::byte* p) {
  return _mm512_cvtepi8_epi32(load_16_bytes(p));
}

SLUICE_INLINE ints low_half(ints pairs) {
  return _mm512_and_si512(pairs, broadcast(15));
}
SLUICE_INLINE ints high_half(ints pairs) {
  return _mm512_srli_epi32(pairs, 4);
}

SLUICE_INLINE vec load_e8m0_half(const std::byte* p) {
  const ints exponent = load_u8(p);
  const ints normal =
      _mm512_slli_epi32(_mm512_sub_epi32(exponent, broadcast(1)), 23);
  const ints subnormal = _mm512_sllv_epi32(broadcast(0x00200000), exponent);
  const __mmask16 small = _mm512_cmpgt_epi32_mask(broadcast(2), exponent);
  return _mm512_castsi512_ps(_mm512_mask_mov_epi32(normal, small, subnormal));
}

SLUICE_INLINE void prefetch(const std::byte* p) {
  _mm_prefetch(p, _MM_HINT_T0);
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"

// Panels of eight rows: a line is one register of 32 bytes. The contract is in
// panel_simd.hpp.

namespace sluice::SLUICE_ISA {

inline constexpr std::int64_t panel_rows = 8;
inline constexpr int few_columns = 6;
inline constexpr int tall_columns = 4;

using bytes = __m256i;
using ints = __m256i;

SLUICE_INLINE bytes load_line(const std::byte* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
SLUICE_INLINE void store_line(std::byte* p, bytes line) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(p), line);
}

SLUICE_INLINE bytes low_nibbles(bytes pairs) {
  return _mm256_and_si256(pairs, _mm256_set1_epi8(15));
}
SLUICE_INLINE bytes high_nibbles(bytes pairs) {
  return low_nibbles(_mm256_srli_epi16(pairs, 4));
}

SLUICE_INLINE bytes move_bits(bytes plane, int from, int to, int mask) {
  const bytes moved = from > to ? _mm256_srli_epi16(plane, from - to)
                                : _mm256_slli_epi16(plane, to - from);
  return _mm256_and_si256(moved, _mm256_set1_epi8(static_cast<char>(mask)));
}
SLUICE_INLINE bytes combine(bytes a, bytes b) {
  return _mm256_or_si256(a, b);
}
SLUICE_INLINE bytes look_up(const std::uint8_t* table, bytes codes) {
  const __m128i entries =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), codes);
}

SLUICE_INLINE bytes broadcast_four(const std::int8_t* p) {
  std::int32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  return _mm256_set1_epi32(four);
}
SLUICE_INLINE ints broadcast(std::int32_t value) {
  return _mm256_set1_epi32(value);
}
SLUICE_INLINE ints broadcast_two(const std::int16_t* p) {
  std::int32_t two;
  __builtin_memcpy(&two, p, sizeof two);
  return _mm256_set1_epi32(two);
}

SLUICE_INLINE ints add(ints a, ints b) {
  return _mm256_add_epi32(a, b);
}
SLUICE_INLINE ints mul(ints a, ints b) {
  return _mm256_mullo_epi32(a, b);
}
SLUICE_INLINE vec to_float(ints x) {
  return _mm256_cvtepi32_ps(x);
}

// Pairs of products as 16 bits saturate: 2 * 127 * 127 does not.
SLUICE_INLINE ints dot(ints sums, bytes codes, bytes x) {
  const __m256i pairs = _mm256_maddubs_epi16(codes, x);
  return add(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// The codes become signed, |code| * (x with its sign): 2 * 128 * 127 at most.
SLUICE_INLINE ints dot_wide(ints sums, bytes codes, bytes x) {
  const __m256i value = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));
  return dot(sums, _mm256_abs_epi8(value), _mm256_sign_epi8(x, value));
}
SLUICE_INLINE ints wide_start(ints) {
  return _mm256_setzero_si256();
}
SLUICE_INLINE ints times_power_of_two(ints x, int exponent) {
  return _mm256_slli_epi32(x, exponent);
}
SLUICE_INLINE ints dot_pairs(ints sums, const std::byte* pairs, ints x) {
  const __m256i wide = _mm256_cvtepu8_epi16(load_16_bytes(pairs));
  return add(sums, _mm256_madd_epi16(wide, x));
}

SLUICE_INLINE __m128i load_8_bytes(const std::byte* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
SLUICE_INLINE ints load_u8(const std::byte* p) {
  return _mm256_cvtepu8_epi32(load_8_bytes(p));
}
SLUICE_INLINE ints load_i8(const std::byte* p) {
  return _mm256_cvtepi8_epi32(load_8_bytes(p));
}

SLUICE_INLINE ints low_half(ints pairs) {
  return _mm256_and_si256(pairs, broadcast(15));
}
SLUICE_INLINE ints high_half(ints pairs) {
  return _mm256_srli_epi32(pairs, 4);
}

SLUICE_INLINE vec load_e8m0_half(const std::byte* p) {
  const ints exponent = load_u8(p);
  const ints normal =
      _mm256_slli_epi32(_mm256_sub_epi32(exponent, broadcast(1)), 23);
  const ints subnormal = _mm256_sllv_epi32(broadcast(0x00200000), exponent);
  const ints small = _mm256_cmpgt_epi32(broadcast(2), exponent);
  return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, subnormal, small));
}

SLUICE_INLINE void prefetch(const std::byte* p) {
  _mm_prefetch(p, _MM_HINT_T0);
}

} // namespace sluice::SLUICE_ISA

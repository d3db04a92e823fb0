// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// Eight f32 lanes on AVX2, FMA and F16C; the contract is in simd.hpp.

#define SLUICE_INLINE [[gnu::always_inline]] inline

namespace sluice::SLUICE_ISA {

using vec = __m256;
inline constexpr int lanes = 8;
inline constexpr int wide_columns = 2;
inline constexpr int key_vectors = 2;
inline constexpr int value_queries = 4;

SLUICE_INLINE vec set(float x) {
  return _mm256_set1_ps(x);
}
SLUICE_INLINE vec load(const float* p) {
  return _mm256_loadu_ps(p);
}
SLUICE_INLINE void store(float* p, vec x) {
  _mm256_storeu_ps(p, x);
}
SLUICE_INLINE vec add(vec a, vec b) {
  return _mm256_add_ps(a, b);
}
SLUICE_INLINE vec sub(vec a, vec b) {
  return _mm256_sub_ps(a, b);
}
SLUICE_INLINE vec mul(vec a, vec b) {
  return _mm256_mul_ps(a, b);
}
SLUICE_INLINE vec div(vec a, vec b) {
  return _mm256_div_ps(a, b);
}
SLUICE_INLINE vec max(vec a, vec b) {
  return _mm256_max_ps(a, b);
}
SLUICE_INLINE vec min(vec a, vec b) {
  return _mm256_min_ps(a, b);
}
SLUICE_INLINE vec fma(vec a, vec b, vec c) {
  return _mm256_fmadd_ps(a, b, c);
}

SLUICE_INLINE vec abs(vec x) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

SLUICE_INLINE vec round_even(vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

SLUICE_INLINE vec exponent(vec x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(x), 23));
}

SLUICE_INLINE vec zero_below(vec x, vec limit, vec value) {
  return _mm256_andnot_ps(_mm256_cmp_ps(x, limit, _CMP_LT_OQ), value);
}

SLUICE_INLINE float sum(vec x) {
  const __m128 half =
      _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

SLUICE_INLINE float largest(vec x) {
  const __m128 half =
      _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}

SLUICE_INLINE __m128i load_16_bytes(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

SLUICE_INLINE vec load_f16(const std::byte* p) {
  return _mm256_cvtph_ps(load_16_bytes(p));
}

SLUICE_INLINE void store_f16(std::byte* p, vec x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

SLUICE_INLINE vec load_bf16(const std::byte* p) {
  const __m256i wide = _mm256_cvtepu16_epi32(load_16_bytes(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

SLUICE_INLINE __m256i load_32_bytes(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

SLUICE_INLINE vec load_bf16_even(const std::byte* p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(load_32_bytes(p), 16));
}

SLUICE_INLINE vec load_bf16_odd(const std::byte* p) {
  return _mm256_castsi256_ps(_mm256_and_si256(
      load_32_bytes(p), _mm256_set1_epi32(static_cast<int>(0xffff0000))));
}

SLUICE_INLINE void store_bf16(std::byte* p, vec x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i upper = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  const __m256i bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
  const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  const __m256i words = _mm256_blendv_epi8(rounded, quiet, nan);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_packus_epi32(_mm256_castsi256_si128(words),
                                    _mm256_extracti128_si256(words, 1)));
}

// The 16-bit halves of each lane's word, widened.
SLUICE_INLINE void split_f16(vec words, vec (&halves)[2]) {
  const __m256i bits = _mm256_castps_si256(words);
  const __m256i low = _mm256_and_si256(bits, _mm256_set1_epi32(0xffff));
  const __m256i both = _mm256_permute4x64_epi64(
      _mm256_packus_epi32(low, _mm256_srli_epi32(bits, 16)), 0xd8);
  halves[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(both));
  halves[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(both, 1));
}

SLUICE_INLINE void split_bf16(vec words, vec (&halves)[2]) {
  const __m256i bits = _mm256_castps_si256(words);
  const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000));
  halves[0] = _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
  halves[1] = _mm256_castsi256_ps(_mm256_and_si256(bits, upper));
}

// 4 x 4 words within each half.
SLUICE_INLINE void transpose_halves(vec (&r)[lanes]) {
  for (int i = 0; i < lanes; i += 4) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(r[i], r[i + 1]));
    const __m256d b = _mm256_castps_pd(_mm256_unpacklo_ps(r[i + 2], r[i + 3]));
    const __m256d c = _mm256_castps_pd(_mm256_unpackhi_ps(r[i], r[i + 1]));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(r[i + 2], r[i + 3]));
    r[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
    r[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    r[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(c, d));
    r[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(c, d));
  }
}

SLUICE_INLINE void transpose(vec (&r)[lanes]) {
  transpose_halves(r);
  for (int c = 0; c < 4; ++c) {
    const vec low = _mm256_permute2f128_ps(r[c], r[4 + c], 0x20);
    r[4 + c] = _mm256_permute2f128_ps(r[c], r[4 + c], 0x31);
    r[c] = low;
  }
}

SLUICE_INLINE void turn_f16(vec (&rows)[lanes], float* to,
                            std::int64_t stride) {
  transpose(rows);
  for (int n = 0; n < lanes; ++n) {
    vec halves[2];
    split_f16(rows[n], halves);
    store(to + 2 * n * stride, halves[0]);
    store(to + (2 * n + 1) * stride, halves[1]);
  }
}

SLUICE_INLINE vec load_i8(const std::byte* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

// The four int8 of each lane's word.
SLUICE_INLINE void split_i8(vec words, vec (&bytes)[4]) {
  const __m256i bits = _mm256_castps_si256(words);
  const auto widen = [](__m256i top) {
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(top, 24));
  };
  bytes[0] = widen(_mm256_slli_epi32(bits, 24));
  bytes[1] = widen(_mm256_slli_epi32(bits, 16));
  bytes[2] = widen(_mm256_slli_epi32(bits, 8));
  bytes[3] = widen(bits);
}

// A byte moved to where f16 has its sign and its lower exponent and upper
// mantissa is that number times 2^-8, subnormals too.
SLUICE_INLINE vec load_f8(const std::byte* p) {
  const __m128i wide =
      _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  const __m128i halves = _mm_or_si128(
      _mm_and_si128(wide, _mm_set1_epi16(static_cast<short>(0x8000))),
      _mm_and_si128(_mm_slli_epi16(wide, 7), _mm_set1_epi16(0x3f80)));
  return _mm256_mul_ps(_mm256_cvtph_ps(halves), _mm256_set1_ps(256));
}

// The four f8_e4m3 of each lane's word: the even bytes as halves of a word,
// then the odd ones.
SLUICE_INLINE void split_f8(vec words, vec (&bytes)[4]) {
  const __m256i bits = _mm256_castps_si256(words);
  const __m256i signs = _mm256_set1_epi32(static_cast<int>(0x80008000));
  const __m256i rest = _mm256_set1_epi32(0x3f803f80);
  const auto widen = [&](__m256i sign, __m256i magnitude, vec& low, vec& high) {
    vec halves[2];
    split_f16(
        _mm256_castsi256_ps(_mm256_or_si256(_mm256_and_si256(sign, signs),
                                            _mm256_and_si256(magnitude, rest))),
        halves);
    low = _mm256_mul_ps(halves[0], _mm256_set1_ps(256));
    high = _mm256_mul_ps(halves[1], _mm256_set1_ps(256));
  };
  widen(_mm256_slli_epi32(bits, 8), _mm256_slli_epi32(bits, 7), bytes[0],
        bytes[2]);
  widen(bits, _mm256_srli_epi32(bits, 1), bytes[1], bytes[3]);
}

SLUICE_INLINE void store_i8(std::int8_t* p, vec x) {
  const __m256i words = _mm256_cvtps_epi32(x);
  const __m128i shorts = _mm_packs_epi32(_mm256_castsi256_si128(words),
                                         _mm256_extracti128_si256(words, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p),
                   _mm_packs_epi16(shorts, shorts));
}

// The bytes are summed as unsigned ones, 8 at a time: x + 128 = x ^ 0x80.
SLUICE_INLINE void negative_sums_of_16(const std::int8_t* p,
                                       std::int32_t* sums) {
  for (int s = 0; s < 16; s += 2) {
    const __m256i biased =
        _mm256_xor_si256(load_32_bytes(p + s * 16), _mm256_set1_epi8(-128));
    const __m256i eights = _mm256_sad_epu8(biased, _mm256_setzero_si256());
    const __m256i pairs =
        _mm256_add_epi64(eights, _mm256_unpackhi_epi64(eights, eights));
    sums[s] = 16 * 128 - _mm256_cvtsi256_si32(pairs);
    sums[s + 1] =
        16 * 128 - _mm_cvtsi128_si32(_mm256_extracti128_si256(pairs, 1));
  }
}

// One block of 32 quants a step.
inline constexpr int dot_blocks = 1;

struct weight_quants {
  __m256i value;
  __m256i magnitude;
};

struct input_quants {
  __m256i value;
};

SLUICE_INLINE weight_quants with_magnitude(__m256i value) {
  return {value, _mm256_abs_epi8(value)};
}

struct q8_0 {
  static constexpr std::size_t bytes = 34;

  SLUICE_INLINE static weight_quants load(const std::byte* block, int) {
    return with_magnitude(_mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(block + sizeof(std::uint16_t))));
  }
};

struct q4_0 {
  static constexpr std::size_t bytes = 18;

  SLUICE_INLINE static weight_quants load(const std::byte* block, int) {
    const __m128i pairs = load_16_bytes(block + sizeof(std::uint16_t));
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(pairs, 4), pairs);
    const __m256i nibbles = _mm256_and_si256(both, _mm256_set1_epi8(15));
    return with_magnitude(_mm256_sub_epi8(nibbles, _mm256_set1_epi8(8)));
  }
};

template <class Format>
SLUICE_INLINE input_quants load_input(const std::int8_t* p, int) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}

// |w| * (y with the sign of w): the pair sums stay within 2 * 128 * 127, so
// the saturating multiply never saturates.
SLUICE_INLINE vec dot(const weight_quants& w, const input_quants& x) {
  const __m256i signed_x = _mm256_sign_epi8(x.value, w.value);
  const __m256i pairs = _mm256_maddubs_epi16(w.magnitude, signed_x);
  return _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

SLUICE_INLINE float f16_scale(const std::byte* block) {
  std::uint16_t bits;
  std::memcpy(&bits, block, sizeof bits);
  return _cvtsh_ss(bits);
}

template <class Format>
SLUICE_INLINE vec weight_scales(const std::byte* block, int) {
  return set(f16_scale(block));
}

} // namespace sluice::SLUICE_ISA

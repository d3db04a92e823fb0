// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

// Sixteen f32 lanes on AVX-512 F, BW, DQ, VL and VNNI; the contract is in
// simd.hpp. The tests also run it over an emulation, see tests/kernels.

#define SLUICE_INLINE [[gnu::always_inline]] inline

namespace sluice::SLUICE_ISA {

using vec = __m512;
inline constexpr int lanes = 16;
inline constexpr int wide_columns = 4;
inline constexpr int key_vectors = 4;
inline constexpr int value_queries = 8;

SLUICE_INLINE vec set(float x) {
  return _mm512_set1_ps(x);
}
SLUICE_INLINE vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
SLUICE_INLINE void store(float* p, vec x) {
  _mm512_storeu_ps(p, x);
}
SLUICE_INLINE vec add(vec a, vec b) {
  return _mm512_add_ps(a, b);
}
SLUICE_INLINE vec sub(vec a, vec b) {
  return _mm512_sub_ps(a, b);
}
SLUICE_INLINE vec mul(vec a, vec b) {
  return _mm512_mul_ps(a, b);
}
SLUICE_INLINE vec div(vec a, vec b) {
  return _mm512_div_ps(a, b);
}
SLUICE_INLINE vec max(vec a, vec b) {
  return _mm512_max_ps(a, b);
}
SLUICE_INLINE vec min(vec a, vec b) {
  return _mm512_min_ps(a, b);
}
SLUICE_INLINE vec fma(vec a, vec b, vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
SLUICE_INLINE vec abs(vec x) {
  return _mm512_abs_ps(x);
}

SLUICE_INLINE vec round_even(vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

SLUICE_INLINE vec exponent(vec x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x), 23));
}

SLUICE_INLINE vec zero_below(vec x, vec limit, vec value) {
  const __mmask16 below = _mm512_cmp_ps_mask(x, limit, _CMP_LT_OQ);
  return _mm512_mask_mov_ps(value, below, _mm512_setzero_ps());
}

SLUICE_INLINE __m256 upper_half(vec x) {
  return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1));
}

SLUICE_INLINE float sum(vec x) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), upper_half(x));
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(eight),
                                 _mm256_extractf128_ps(eight, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

SLUICE_INLINE float largest(vec x) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x), upper_half(x));
  const __m128 half = _mm_max_ps(_mm256_castps256_ps128(eight),
                                 _mm256_extractf128_ps(eight, 1));
  const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}

SLUICE_INLINE __m256i load_32_bytes(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

SLUICE_INLINE void store_32_bytes(std::byte* p, __m256i x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
}

SLUICE_INLINE vec load_f16(const std::byte* p) {
  return _mm512_cvtph_ps(load_32_bytes(p));
}

SLUICE_INLINE void store_f16(std::byte* p, vec x) {
  store_32_bytes(p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

SLUICE_INLINE vec load_bf16(const std::byte* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(load_32_bytes(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

SLUICE_INLINE vec load_bf16_even(const std::byte* p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16));
}

SLUICE_INLINE vec load_bf16_odd(const std::byte* p) {
  return _mm512_castsi512_ps(_mm512_and_si512(
      _mm512_loadu_si512(p), _mm512_set1_epi32(static_cast<int>(0xffff0000))));
}

SLUICE_INLINE void store_bf16(std::byte* p, vec x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i upper = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
  const __m512i bias = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
  const __m512i quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  store_32_bytes(
      p, _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, quiet)));
}

// The halves of each lane's word.
SLUICE_INLINE void split_bf16(vec words, vec (&halves)[2]) {
  const __m512i bits = _mm512_castps_si512(words);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  halves[0] = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
  halves[1] = _mm512_castsi512_ps(_mm512_and_si512(bits, upper));
}

// 4 x 4 words within each quarter: quarter q of r[4 i + c] becomes column
// 4 q + c of rows 4 i to 4 i + 3.
SLUICE_INLINE void transpose_quarters(vec (&r)[lanes]) {
  for (int i = 0; i < lanes; i += 4) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(r[i], r[i + 1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpacklo_ps(r[i + 2], r[i + 3]));
    const __m512d c = _mm512_castps_pd(_mm512_unpackhi_ps(r[i], r[i + 1]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(r[i + 2], r[i + 3]));
    r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
    r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d));
    r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(c, d));
  }
}

SLUICE_INLINE void transpose(vec (&r)[lanes]) {
  transpose_quarters(r);
  for (int c = 0; c < 4; ++c) {
    const vec even = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88);
    const vec odd = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd);
    const vec later_even = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
    const vec later_odd = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
    r[c] = _mm512_shuffle_f32x4(even, later_even, 0x88);
    r[4 + c] = _mm512_shuffle_f32x4(odd, later_odd, 0x88);
    r[8 + c] = _mm512_shuffle_f32x4(even, later_even, 0xdd);
    r[12 + c] = _mm512_shuffle_f32x4(odd, later_odd, 0xdd);
  }
}

// One step of transposing 16-bit elements: rows `distance` apart interleave
// theirs, `Bytes` at a time, within quarters.
template <int Bytes>
SLUICE_INLINE void interleave(__m512i (&r)[8], int distance) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    if ((i & distance) == 0) {
      const __m512i a = r[i];
      const __m512i b = r[i + distance];
      r[i] = Bytes == 2   ? _mm512_unpacklo_epi16(a, b)
             : Bytes == 4 ? _mm512_unpacklo_epi32(a, b)
                          : _mm512_unpacklo_epi64(a, b);
      r[i + distance] = Bytes == 2   ? _mm512_unpackhi_epi16(a, b)
                        : Bytes == 4 ? _mm512_unpackhi_epi32(a, b)
                                     : _mm512_unpackhi_epi64(a, b);
    }
  }
}

// Halves are transposed as they are, 8 keys at a time, and widened by loads:
// that takes fewer shuffles than whole words, and Intel's cores have one unit
// for them, which also helps to widen 16 at once. After three steps each
// quarter q of register i holds 8 keys: element 8 q + e, the bits of e in
// reverse order in i.
SLUICE_INLINE void turn_f16(vec (&rows)[lanes], float* to,
                            std::int64_t stride) {
#pragma GCC unroll 2
  for (int first = 0; first < lanes; first += 8) {
    __m512i r[8];
#pragma GCC unroll 8
    for (int n = 0; n < 8; ++n) {
      r[n] = _mm512_castps_si512(rows[first + n]);
    }
    interleave<2>(r, 1);
    interleave<4>(r, 2);
    interleave<8>(r, 4);
    alignas(64) __m128i eights[8][4];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      _mm512_store_si512(eights[i], r[i]);
    }
    asm volatile("" : "+m"(eights)); // else they are widened by shuffles
#pragma GCC unroll 32
    for (int n = 0; n < 32; ++n) {
      const int i = n / 4;
      const int e = (i & 1) * 4 + (i & 2) + (i >> 2);
      _mm256_storeu_ps(to + (n % 4 * 8 + e) * stride + first,
                       _mm256_cvtph_ps(eights[i][n % 4]));
    }
  }
}

SLUICE_INLINE vec load_i8(const std::byte* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

// The four int8 of each lane's word.
SLUICE_INLINE void split_i8(vec words, vec (&bytes)[4]) {
  const __m512i bits = _mm512_castps_si512(words);
  const auto widen = [](__m512i top) {
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(top, 24));
  };
  bytes[0] = widen(_mm512_slli_epi32(bits, 24));
  bytes[1] = widen(_mm512_slli_epi32(bits, 16));
  bytes[2] = widen(_mm512_slli_epi32(bits, 8));
  bytes[3] = widen(bits);
}

// A byte moved to where f16 has its sign and its lower exponent and upper
// mantissa is that number times 2^-8, subnormals too.
SLUICE_INLINE vec load_f8(const std::byte* p) {
  const __m256i wide = _mm256_cvtepi8_epi16(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i halves = _mm256_or_si256(
      _mm256_and_si256(wide, _mm256_set1_epi16(static_cast<short>(0x8000))),
      _mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16(0x3f80)));
  return _mm512_mul_ps(_mm512_cvtph_ps(halves), _mm512_set1_ps(256));
}

// The four f8_e4m3 of each lane's word: the even bytes as halves of a word,
// then the odd ones.
SLUICE_INLINE void split_f8(vec words, vec (&bytes)[4]) {
  const __m512i bits = _mm512_castps_si512(words);
  const __m512i signs = _mm512_set1_epi32(static_cast<int>(0x80008000));
  const __m512i rest = _mm512_set1_epi32(0x3f803f80);
  const auto widen = [&](__m512i sign, __m512i magnitude, vec& low, vec& high) {
    const __m512i pairs = _mm512_or_si512(_mm512_and_si512(sign, signs),
                                          _mm512_and_si512(magnitude, rest));
    const auto half = [](__m512i words_of) {
      return _mm512_mul_ps(_mm512_cvtph_ps(_mm512_cvtepi32_epi16(words_of)),
                           _mm512_set1_ps(256));
    };
    low = half(pairs);
    high = half(_mm512_srli_epi32(pairs, 16));
  };
  widen(_mm512_slli_epi32(bits, 8), _mm512_slli_epi32(bits, 7), bytes[0],
        bytes[2]);
  widen(bits, _mm512_srli_epi32(bits, 1), bytes[1], bytes[3]);
}

SLUICE_INLINE void store_i8(std::int8_t* p, vec x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
}

// Sums of 16 of 128 bytes: the lower half of lane i is the sum of number
// i / 2 of the first 64 (i even) or of the second 64 (i odd). The bytes are
// summed as unsigned ones, 8 at a time: x + 128 = x ^ 0x80.
SLUICE_INLINE __m512i biased_sums_of_16(const std::int8_t* p) {
  const __m512i bias = _mm512_set1_epi8(-128);
  const __m512i zero = _mm512_setzero_si512();
  const __m512i first =
      _mm512_sad_epu8(_mm512_xor_si512(_mm512_loadu_si512(p), bias), zero);
  const __m512i second =
      _mm512_sad_epu8(_mm512_xor_si512(_mm512_loadu_si512(p + 64), bias), zero);
  return _mm512_add_epi64(_mm512_unpacklo_epi64(first, second),
                          _mm512_unpackhi_epi64(first, second));
}

SLUICE_INLINE void negative_sums_of_16(const std::int8_t* p,
                                       std::int32_t* sums) {
  const __m512i order = _mm512_set_epi32(30, 26, 22, 18, 28, 24, 20, 16, 14, 10,
                                         6, 2, 12, 8, 4, 0);
  const __m512i all = _mm512_permutex2var_epi32(biased_sums_of_16(p), order,
                                                biased_sums_of_16(p + 128));
  _mm512_storeu_si512(sums, _mm512_sub_epi32(_mm512_set1_epi32(16 * 128), all));
}

// Two blocks of 32 quants a step, one in each half. The last of an odd number
// stands in the lower half, zeros in the upper.
inline constexpr int dot_blocks = 2;

SLUICE_INLINE __m512i both_halves(__m256i low, __m256i high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

// The byte products of VNNI are unsigned times signed: weights are stored as
// weight + zero_point, and the input carries -zero_point * its own sums.
struct weight_quants {
  __m512i value;
};

struct input_quants {
  __m512i value;
  __m512i correction;
};

struct q8_0 {
  static constexpr std::size_t bytes = 34;
  static constexpr char zero_point = -128; // 128 as an unsigned byte

  SLUICE_INLINE static weight_quants load(const std::byte* block, int blocks) {
    const __m256i low = load_32_bytes(block + 2);
    const __m256i high =
        blocks == 2 ? load_32_bytes(block + bytes + 2) : _mm256_setzero_si256();
    return {
        _mm512_xor_si512(both_halves(low, high), _mm512_set1_epi8(zero_point))};
  }
};

struct q4_0 {
  static constexpr std::size_t bytes = 18;
  static constexpr char zero_point = 8;

  SLUICE_INLINE static __m256i spread(const std::byte* block) {
    const __m128i pairs =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 2));
    return _mm256_set_m128i(_mm_srli_epi16(pairs, 4), pairs);
  }

  SLUICE_INLINE static weight_quants load(const std::byte* block, int blocks) {
    const __m256i high =
        blocks == 2 ? spread(block + bytes) : _mm256_setzero_si256();
    return {_mm512_and_si512(both_halves(spread(block), high),
                             _mm512_set1_epi8(15))};
  }
};

template <class Format>
SLUICE_INLINE input_quants load_input(const std::int8_t* p, int blocks) {
  const __m256i high =
      blocks == 2 ? load_32_bytes(p + 32) : _mm256_setzero_si256();
  const __m512i value = both_halves(load_32_bytes(p), high);
  const __m512i offset = _mm512_dpbusd_epi32(
      _mm512_setzero_si512(), _mm512_set1_epi8(Format::zero_point), value);
  return {value, _mm512_sub_epi32(_mm512_setzero_si512(), offset)};
}

SLUICE_INLINE vec dot(const weight_quants& w, const input_quants& x) {
  return _mm512_cvtepi32_ps(
      _mm512_dpbusd_epi32(x.correction, w.value, x.value));
}

SLUICE_INLINE vec halves(float low, float high) {
  return _mm512_insertf32x8(_mm512_set1_ps(low), _mm256_set1_ps(high), 1);
}

SLUICE_INLINE float f16_scale(const std::byte* block) {
  std::uint16_t bits;
  __builtin_memcpy(&bits, block, sizeof bits);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

template <class Format>
SLUICE_INLINE vec weight_scales(const std::byte* block, int blocks) {
  const float low = f16_scale(block);
  return halves(low, blocks == 2 ? f16_scale(block + Format::bytes) : 0.0f);
}

} // namespace sluice::SLUICE_ISA

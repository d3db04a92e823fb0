// SPDX-License-Identifier: Apache-2.0
#pragma once

// The AVX-512 intrinsics of kernels/cpu/{simd,panel}_avx512.hpp over AVX2:
// SIMDe has most of them, the rest are two halves each. The tests compile the
// avx512 sources against this header and so run them on any AVX2 CPU.

#include <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

namespace sluice::SLUICE_ISA {

template <class Half>
inline __m512i join(Half low, Half high) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

inline __m512 join(__m256 low, __m256 high) {
  return _mm512_castsi512_ps(
      join(_mm256_castps_si256(low), _mm256_castps_si256(high)));
}

inline __m256i half(__m512i x, int index) {
  return index == 0 ? _mm512_castsi512_si256(x)
                    : _mm512_extracti64x4_epi64(x, 1);
}

inline __m256 half(__m512 x, int index) {
  return _mm256_castsi256_ps(half(_mm512_castps_si512(x), index));
}

inline __m128i half(__m256i x, int index) {
  return index == 0 ? _mm256_castsi256_si128(x)
                    : _mm256_extracti128_si256(x, 1);
}

inline __m512 emulated_cvtepi32_ps(__m512i x) {
  return join(_mm256_cvtepi32_ps(half(x, 0)), _mm256_cvtepi32_ps(half(x, 1)));
}

inline __m512i emulated_cvtps_epi32(__m512 x) {
  return join(_mm256_cvtps_epi32(half(x, 0)), _mm256_cvtps_epi32(half(x, 1)));
}

inline __m512i emulated_cvtepu16_epi32(__m256i x) {
  return join(_mm256_cvtepu16_epi32(half(x, 0)),
              _mm256_cvtepu16_epi32(half(x, 1)));
}

inline __m512i emulated_cvtepu8_epi16(__m256i x) {
  return join(_mm256_cvtepu8_epi16(half(x, 0)),
              _mm256_cvtepu8_epi16(half(x, 1)));
}

inline __m512i emulated_cvtepu8_epi32(__m128i x) {
  return join(_mm256_cvtepu8_epi32(x),
              _mm256_cvtepu8_epi32(_mm_srli_si128(x, 8)));
}

inline __m512i emulated_cvtepi8_epi32(__m128i x) {
  return join(_mm256_cvtepi8_epi32(x),
              _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)));
}

inline __m512 emulated_cvtph_ps(__m256i x) {
  return join(_mm256_cvtph_ps(half(x, 0)), _mm256_cvtph_ps(half(x, 1)));
}

inline __m256i emulated_cvtps_ph(__m512 x, int) {
  return _mm256_set_m128i(
      _mm256_cvtps_ph(half(x, 1), _MM_FROUND_TO_NEAREST_INT),
      _mm256_cvtps_ph(half(x, 0), _MM_FROUND_TO_NEAREST_INT));
}

// Keeps the low 16 bits of each lane.
inline __m256i emulated_cvtepi32_epi16(__m512i x) {
  const __m512i low = _mm512_and_si512(x, _mm512_set1_epi32(0xffff));
  const __m256i mixed = _mm256_packus_epi32(half(low, 0), half(low, 1));
  return _mm256_permute4x64_epi64(mixed, 0xd8);
}

inline __m512i emulated_srai_epi32(__m512i x, int bits) {
  return join(_mm256_srai_epi32(half(x, 0), bits),
              _mm256_srai_epi32(half(x, 1), bits));
}

} // namespace sluice::SLUICE_ISA

#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_srai_epi32 emulated_srai_epi32
#define _mm512_shuffle_f32x4 simde_mm512_shuffle_f32x4
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32
#define _mm512_cvtepu8_epi16 emulated_cvtepu8_epi16
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_cvtps_ph emulated_cvtps_ph
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16

#include "kernels/cpu/simd_avx512.hpp"

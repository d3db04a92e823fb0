// SPDX-License-Identifier: Apache-2.0
// Probes of AVX2 with FMA. Everything but probes() stays in this file, so that
// no other path is linked to code with these instructions.
#include "tools/bench/roofline/probes.hpp"

#include <immintrin.h>

namespace sluice::bench::avx2 {
namespace {

constexpr int accumulators = 12;
constexpr std::size_t line = 64;

// Makes the sums differ for the compiler, which would compute equal ones once.
template <class Vector>
void keep_apart(Vector (&sums)[accumulators]) {
  for (auto& sum : sums)
    asm volatile("" : "+x"(sum));
}

template <int Streams>
std::uint64_t read_streams(const std::byte* data, std::size_t bytes,
                           std::size_t prefetch) {
  const std::size_t part = bytes / Streams;
  __m256i sums[Streams * 2] = {};
  for (std::size_t at = 0; at < part; at += line)
    for (int s = 0; s < Streams; ++s) {
      const std::byte* here = data + s * part + at;
      if (prefetch > 0)
        _mm_prefetch(reinterpret_cast<const char*>(here + prefetch),
                     _MM_HINT_T0);
      const auto* vectors = reinterpret_cast<const __m256i*>(here);
      sums[2 * s] = _mm256_xor_si256(sums[2 * s], vectors[0]);
      sums[2 * s + 1] = _mm256_xor_si256(sums[2 * s + 1], vectors[1]);
    }
  __m256i all = sums[0];
  for (const auto sum : sums)
    all = _mm256_or_si256(all, sum);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(all, 0));
}

std::uint64_t read(const std::byte* data, std::size_t bytes,
                   read_pattern pattern) {
  return pattern.streams == 4 ? read_streams<4>(data, bytes, pattern.prefetch)
                              : read_streams<1>(data, bytes, pattern.prefetch);
}

std::uint64_t multiply_bytes(std::int64_t turns) {
  __m256i sums[accumulators] = {};
  keep_apart(sums);
  __m256i a = _mm256_set1_epi8(3);
  const __m256i b = _mm256_set1_epi8(-2);
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::int64_t turn = 0; turn < turns; ++turn)
    for (auto& sum : sums) {
      asm volatile("" : "+x"(a)); // or the product would leave the loop
      const __m256i pairs = _mm256_maddubs_epi16(a, b);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
  __m256i all = sums[0];
  for (const auto& sum : sums)
    all = _mm256_xor_si256(all, sum);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(all, 0));
}

std::uint64_t multiply_floats(std::int64_t turns) {
  __m256 sums[accumulators] = {};
  keep_apart(sums);
  const __m256 a = _mm256_set1_ps(0.5f);
  for (std::int64_t turn = 0; turn < turns; ++turn)
    for (auto& sum : sums)
      sum = _mm256_fmadd_ps(sum, a, a);
  __m256 all = sums[0];
  for (const auto& sum : sums)
    all = _mm256_add_ps(all, sum);
  return static_cast<std::uint64_t>(_mm256_cvtss_f32(all));
}

} // namespace

probe_set probes() {
  return {.read = read,
          .int8 = {"vpmaddubsw + vpmaddwd + vpaddd", accumulators * 64.0,
                   multiply_bytes},
          .bf16 = {},
          .f32 = {"vfmadd ymm", accumulators * 16.0, multiply_floats}};
}

} // namespace sluice::bench::avx2

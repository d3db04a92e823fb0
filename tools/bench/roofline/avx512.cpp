// SPDX-License-Identifier: Apache-2.0
// Probes of AVX-512 with VNNI. Everything but probes() stays in this file, so
// that no other path is linked to code with these instructions.
#include "tools/bench/roofline/probes.hpp"

#include <immintrin.h>

namespace sluice::bench::avx512 {
namespace {

constexpr int accumulators = 16;
constexpr std::size_t line = 64;

// Makes the sums differ for the compiler, which would compute equal ones once.
template <class Vector>
void keep_apart(Vector (&sums)[accumulators]) {
  for (auto& sum : sums)
    asm volatile("" : "+v"(sum));
}

template <int Streams>
std::uint64_t read_streams(const std::byte* data, std::size_t bytes,
                           std::size_t prefetch) {
  const std::size_t part = bytes / Streams;
  __m512i sums[Streams * 2] = {};
  for (std::size_t at = 0; at < part; at += 2 * line)
    for (int s = 0; s < Streams; ++s) {
      const std::byte* here = data + s * part + at;
      if (prefetch > 0) {
        const char* ahead = reinterpret_cast<const char*>(here + prefetch);
        _mm_prefetch(ahead, _MM_HINT_T0);
        _mm_prefetch(ahead + line, _MM_HINT_T0);
      }
      sums[2 * s] = _mm512_xor_si512(sums[2 * s], _mm512_load_si512(here));
      sums[2 * s + 1] =
          _mm512_xor_si512(sums[2 * s + 1], _mm512_load_si512(here + line));
    }
  __m512i all = sums[0];
  for (const auto& sum : sums)
    all = _mm512_or_si512(all, sum);
  return static_cast<std::uint64_t>(_mm512_reduce_or_epi64(all));
}

std::uint64_t read(const std::byte* data, std::size_t bytes,
                   read_pattern pattern) {
  return pattern.streams == 4 ? read_streams<4>(data, bytes, pattern.prefetch)
                              : read_streams<1>(data, bytes, pattern.prefetch);
}

std::uint64_t multiply_bytes(std::int64_t turns) {
  __m512i sums[accumulators] = {};
  keep_apart(sums);
  const __m512i a = _mm512_set1_epi8(3);
  const __m512i b = _mm512_set1_epi8(-2);
  for (std::int64_t turn = 0; turn < turns; ++turn)
    for (auto& sum : sums)
      sum = _mm512_dpbusd_epi32(sum, a, b);
  __m512i all = sums[0];
  for (const auto& sum : sums)
    all = _mm512_xor_si512(all, sum);
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(all));
}

std::uint64_t multiply_floats(std::int64_t turns) {
  __m512 sums[accumulators] = {};
  keep_apart(sums);
  const __m512 a = _mm512_set1_ps(0.5f);
  for (std::int64_t turn = 0; turn < turns; ++turn)
    for (auto& sum : sums)
      sum = _mm512_fmadd_ps(sum, a, a);
  __m512 all = sums[0];
  for (const auto& sum : sums)
    all = _mm512_add_ps(all, sum);
  return static_cast<std::uint64_t>(_mm512_reduce_add_ps(all));
}

} // namespace

probe_set probes() {
  return {.read = read,
          .int8 = {"vpdpbusd zmm", accumulators * 128.0, multiply_bytes},
          .bf16 = {},
          .f32 = {"vfmadd zmm", accumulators * 32.0, multiply_floats}};
}

} // namespace sluice::bench::avx512

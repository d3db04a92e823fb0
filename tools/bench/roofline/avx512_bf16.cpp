// SPDX-License-Identifier: Apache-2.0
// The probe of AVX-512 BF16, apart because few CPUs with AVX-512 have it.
#include "tools/bench/roofline/probes.hpp"

#include <immintrin.h>

namespace sluice::bench::avx512_bf16 {
namespace {

constexpr int accumulators = 16;

// Makes the sums differ for the compiler, which would compute equal ones once.
template <class Vector>
void keep_apart(Vector (&sums)[accumulators]) {
  for (auto& sum : sums)
    asm volatile("" : "+v"(sum));
}

std::uint64_t multiply_pairs(std::int64_t turns) {
  __m512 sums[accumulators] = {};
  keep_apart(sums);
  const __m512bh a =
      _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
  const __m512bh b =
      _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.25f), _mm512_set1_ps(0.25f));
  for (std::int64_t turn = 0; turn < turns; ++turn)
    for (auto& sum : sums)
      sum = _mm512_dpbf16_ps(sum, a, b);
  __m512 all = sums[0];
  for (const auto& sum : sums)
    all = _mm512_add_ps(all, sum);
  return static_cast<std::uint64_t>(_mm512_reduce_max_ps(all));
}

} // namespace

peak_loop bf16_peak() {
  return {"vdpbf16ps zmm", accumulators * 64.0, multiply_pairs};
}

} // namespace sluice::bench::avx512_bf16

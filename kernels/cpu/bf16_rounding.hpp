// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"

// For sources that are compiled with AVX512_BF16.

namespace sluice::SLUICE_ISA {

/// Rounds 32 elements to bf16 (nearest even; subnormals become 0), those past
/// `count` as 0.
/// @param to  64 bytes, aligned.
SLUICE_INLINE void round_chunk(const float* x, std::int64_t count,
                               std::byte* to) {
  const auto mask =
      count >= 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << count) - 1;
  const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x);
  const __m512 high =
      _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + 16);
  _mm512_store_si512(to,
                     reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
}

} // namespace sluice::SLUICE_ISA

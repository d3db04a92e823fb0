// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/roofline/probes.hpp"

namespace sluice::bench {

probe_set probes_for(instruction_set isa) {
#if defined(SLUICE_PROBES_X86)
  if (isa == instruction_set::avx512) {
    auto found = avx512::probes();
    if (__builtin_cpu_supports("avx512bf16"))
      found.bf16 = avx512_bf16::bf16_peak();
    return found;
  }
  if (isa == instruction_set::amx) {
    auto found = avx512::probes();
    found.int8 = amx::int8_peak();
    found.bf16 = amx::bf16_peak();
    return found;
  }
  if (isa == instruction_set::avx2)
    return avx2::probes();
#endif
  (void)isa; // the reference and the portable kernels are plain C++
  return portable::probes();
}

} // namespace sluice::bench

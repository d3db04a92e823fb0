// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/projection.hpp"

// What AMX multiplies: the panels of the avx512 path, which packs them.

namespace sluice::SLUICE_ISA::amx {

/// The kernel of a quantised type, or null where VNNI is as fast: the bytes
/// that the avx512 path computes, since integer sums are exact and the floats
/// above them are added in the same order.
projection_kernel integer_kernel(dtype type);

/// The kernel of bf16 panels. Every 32 k are summed in two chains of
/// multiply-adds (even and odd k), these are added, and that to the total:
/// another order than `vdpbf16ps`, and the same one for every M.
void multiply_bf16(const projection& to, const matmul_input& input,
                   std::int64_t first, std::int64_t end);

/// Rounds x to bf16 in the order in which that kernel reads it.
void round_to_bf16(const matmul_input& input, thread_pool& pool);

} // namespace sluice::SLUICE_ISA::amx

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/ops.hpp"

// How a matmul is cut: a kernel multiplies some rows of one weight with all of
// x, and every family of weights (rows, integer panels, dense panels) names
// its kernel for a type.

namespace sluice::SLUICE_ISA {

/// x in the forms that kernels read. The integer form is written when a
/// projection quantises its input, bf16 when dense panels want it.
struct matmul_input {
  activations x;
  matmul_workspace forms;
};

/// Writes rows [first, end) of `to.weight` as columns of `to.out`, all rows of
/// x, bias included. Each output depends on its row of x and of the weight
/// alone: its sums run in K order, the same way whatever M, first and end are.
/// @param first  a multiple of the panel's rows for panels, as is `end` unless
///               it is the last row.
using projection_kernel = void (*)(const projection& to,
                                   const matmul_input& input,
                                   std::int64_t first, std::int64_t end);

/// The kernel of weights that lie in rows, any type but i32.
projection_kernel rows_kernel(dtype type);

/// Quantises x into the integer form of its workspace.
void quantize_rows(const matmul_input& input, thread_pool& pool);

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/projection.hpp"

// The parts of the dense panel family.

namespace sluice::SLUICE_ISA {

/// Panels of f32, f16 and bf16: lines of one k (bf16: two) of every row, row
/// after row; an odd K is padded with a zero, a panel to whole 64 bytes.
std::size_t dense_panel_bytes(dtype type, std::int64_t columns);
void pack_dense_panel(const matrix_view& rows, std::byte* panel);
void unpack_dense_row(const matrix_view& panels, std::int64_t row, float* out);

/// Whether this path and CPU multiply pairs of bf16.
bool has_bf16_products();

/// Rounds x to bf16 (nearest even; subnormals become 0) into its workspace.
void round_to_bf16(const matmul_input& input, thread_pool& pool);

/// The kernel of bf16 panels that reads what `round_to_bf16` wrote. Each pair
/// of k is added as one product after the other, the odd one first.
void multiply_bf16_pairs(const projection& to, const matmul_input& input,
                         std::int64_t first, std::int64_t end);

} // namespace sluice::SLUICE_ISA

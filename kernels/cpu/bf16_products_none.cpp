// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/panel_dense.hpp"

namespace sluice::SLUICE_ISA {

// A path without products of bf16 pairs: the weights are widened.
bool has_bf16_products() {
  return false;
}

void round_to_bf16(const matmul_input&, thread_pool&) {}

void multiply_bf16_pairs(const projection&, const matmul_input&, std::int64_t,
                         std::int64_t) {}

} // namespace sluice::SLUICE_ISA

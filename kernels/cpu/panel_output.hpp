// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/panel_simd.hpp"
#include "kernels/cpu/projection.hpp"

namespace sluice::SLUICE_ISA {

/// Writes the sums of one panel for row m of x, bias included.
/// @param row  of the weight, the panel's first; rows past its last are left
///             out.
SLUICE_INLINE void write_sums(const projection& to, std::int64_t row,
                              std::int64_t m, vec sums) {
  const std::int64_t left = to.weight.rows - row;
  if (left <= 0) {
    return;
  }
  const bool whole = left >= panel_rows;
  const int count = static_cast<int>(left);
  if (!to.bias.empty()) {
    const float* bias = to.bias.data() + row;
    sums = add(sums, whole ? load(bias) : load_some(bias, count));
  }
  float* out = to.out.data + m * to.out.row_stride + row;
  whole ? store(out, sums) : store_some(out, sums, count);
}

} // namespace sluice::SLUICE_ISA

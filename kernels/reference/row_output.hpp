// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/ops.hpp"

#include <span>
#include <vector>

namespace sluice::reference {

/// Quantises one row of x, as `matmul_args` says.
void quantize_row(std::span<const float> x, std::int64_t row,
                  const integer_input& to);

/// Calls `compute(row, to)` for every row of an op's result, which writes it to
/// `to`: to `out`, or to memory from where it is quantised.
template <class Compute>
void write_rows(const activations& out, quantized_rows quantized,
                thread_pool& pool, const Compute& compute) {
  pool.parallel_for(out.rows, [&](std::int64_t row) {
    if (quantized.empty()) {
      return compute(row, out.data + row * out.row_stride);
    }
    std::vector<float> values(static_cast<std::size_t>(out.columns));
    compute(row, values.data());
    quantize_row(
        values, row,
        split_workspace(quantized.data(), out.rows, out.columns).integers);
  });
}

} // namespace sluice::reference

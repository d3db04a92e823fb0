// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/ops.hpp"

namespace sluice::SLUICE_ISA {

/// Quantises some neighbours of a row of x into its form for integer products.
/// @param count  1 to integer_input::group.
/// @param at     group * to.rows + row.
void quantize_group(const float* x, std::int64_t count, const integer_input& to,
                    std::int64_t at);

/// Where an op leaves its rows: as f32, or, a group at a time through the
/// nearest cache, quantised in the workspace of the matmul that reads them.
class row_output {
public:
  /// @param quantized  that workspace, or empty.
  row_output(const activations& out, std::span<std::byte> quantized)
      : out_(out) {
    if (!quantized.empty()) {
      integers_ =
          split_workspace(quantized.data(), out.rows, out.columns).integers;
    }
  }

  /// Calls `compute(first, count, to)` for the columns of a row, which writes
  /// them to `to`.
  template <class Compute>
  void write(std::int64_t row, const Compute& compute) const {
    constexpr std::int64_t group = integer_input::group;
    if (integers_.values == nullptr) {
      return compute(0, out_.columns, out_.data + row * out_.row_stride);
    }
    for (std::int64_t g = 0; g < integers_.groups; ++g) {
      alignas(64) float values[group];
      const std::int64_t left = out_.columns - g * group;
      const std::int64_t count = left < group ? left : group;
      compute(g * group, count, values);
      quantize_group(values, count, integers_, g * out_.rows + row);
    }
  }

private:
  const activations& out_;
  integer_input integers_;
};

} // namespace sluice::SLUICE_ISA

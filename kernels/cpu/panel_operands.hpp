// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/cpu/panel_group.hpp"
#include "kernels/cpu/panel_output.hpp"

namespace sluice::SLUICE_ISA {

/// One quantised weight in panels and the rows of x that it is multiplied
/// with: where its groups lie, and how a finished sum is written.
template <panel_format Format>
struct panel_operands {
  const projection& to;
  const integer_input& x;

  std::int64_t columns() const { return to.weight.columns; }

  const std::byte* panel(std::int64_t row) const {
    return to.weight.data + static_cast<std::size_t>(row / panel_rows) *
                                to.weight.row_stride_bytes;
  }

  panel_group<Format, false> group(std::int64_t row, std::int64_t g) const {
    const std::byte* start =
        panel(row) + head_bytes(Format) + g * group_bytes(Format, group_blocks);
    return packed_group<Format>(start, blocks_of(columns(), g));
  }

  // The totals of one row of x: the row's scale, the bias, and out.
  SLUICE_INLINE void write(std::int64_t row, std::int64_t m,
                           const float* totals) const {
    vec sum = load(totals);
    if constexpr (Format.scales == scale_kind::row) {
      sum = mul(sum, load(reinterpret_cast<const float*>(panel(row))));
    }
    write_sums(to, row, m, sum);
  }
};

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/check.hpp"
#include "kernels/cuda/ops.hpp"

#include <limits>

// Host-side checks that the ops over rows share.

namespace sluice::cuda {

/// Whether 16-byte loads reach every row.
inline bool is_aligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
}

/// Rows of f32 that kernels may read and write 16 bytes at a time.
inline bool is_usable(const device_rows& rows) {
  return rows.rows >= 0 && rows.columns > 0 && rows.columns % 4 == 0 &&
         rows.row_stride % 4 == 0 && rows.row_stride >= rows.columns &&
         rows.rows <= std::numeric_limits<std::int32_t>::max() &&
         (rows.data || rows.rows == 0) && is_aligned(rows.data);
}

inline bool have_same_shape(const device_rows& a, const device_rows& b) {
  return a.rows == b.rows && a.columns == b.columns;
}

inline bool is_usable(const operand& out) {
  const bool typed = out.type == dtype::bf16 || out.type == dtype::f16 ||
                     (is_scaled(out.type) && (out.scales || out.rows == 0));
  return typed && out.columns % 16 == 0 && (out.data || out.rows == 0) &&
         is_aligned(out.data);
}

} // namespace sluice::cuda

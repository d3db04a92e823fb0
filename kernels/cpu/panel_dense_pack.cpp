// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/panel_dense.hpp"
#include "kernels/cpu/panel_simd.hpp"

namespace sluice::SLUICE_ISA {

namespace {

std::int64_t element_bytes(dtype type) {
  return type == dtype::f32 ? 4 : 2;
}

std::int64_t line_columns(dtype type) {
  return type == dtype::bf16 ? 2 : 1;
}

// Copies one row into its place in every line; Columns k's are neighbours.
template <class Element, std::int64_t Columns>
void pack_row(const std::byte* row, std::int64_t columns, std::byte* to) {
  constexpr std::size_t size = sizeof(Element) * Columns;
  constexpr std::size_t line = size * panel_rows;
  for (; columns >= Columns; columns -= Columns, row += size, to += line) {
    __builtin_memcpy(to, row, size);
  }
  if (columns > 0) {
    __builtin_memcpy(to, row, sizeof(Element));
  }
}

template <class Storage, std::int64_t Columns>
void unpack(const std::byte* from, std::int64_t columns, float* out) {
  constexpr std::int64_t line = Storage::bytes * Columns * panel_rows;
  for (std::int64_t k = 0; k < columns; ++k) {
    const std::byte* element =
        from + k / Columns * line + k % Columns * Storage::bytes;
    store_some(out + k, load_some<Storage>(element, 1), 1);
  }
}

} // namespace

std::size_t dense_panel_bytes(dtype type, std::int64_t columns) {
  const std::int64_t unit = line_columns(type);
  const std::int64_t padded = (columns + unit - 1) / unit * unit;
  return static_cast<std::size_t>(
      (padded * element_bytes(type) * panel_rows + 63) / 64 * 64);
}

void pack_dense_panel(const matrix_view& rows, std::byte* panel) {
  __builtin_memset(panel, 0, dense_panel_bytes(rows.type, rows.columns));
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const std::byte* row =
        rows.data + static_cast<std::size_t>(r) * rows.row_stride_bytes;
    switch (rows.type) {
    case dtype::f32:
      pack_row<float, 1>(row, rows.columns, panel + r * 4);
      break;
    case dtype::f16:
      pack_row<std::uint16_t, 1>(row, rows.columns, panel + r * 2);
      break;
    default:
      pack_row<std::uint16_t, 2>(row, rows.columns, panel + r * 4);
    }
  }
}

void unpack_dense_row(const matrix_view& panels, std::int64_t row, float* out) {
  const std::byte* from =
      panels.data +
      static_cast<std::size_t>(row / panel_rows) * panels.row_stride_bytes +
      row % panel_rows * element_bytes(panels.type) * line_columns(panels.type);
  switch (panels.type) {
  case dtype::f32:
    return unpack<f32_format, 1>(from, panels.columns, out);
  case dtype::f16:
    return unpack<f16_format, 1>(from, panels.columns, out);
  default:
    return unpack<bf16_format, 2>(from, panels.columns, out);
  }
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cpu/panel_simd.hpp"
#include "kernels/cpu/panels.hpp"

namespace sluice::SLUICE_ISA {

const panel_family& family_of(dtype type) {
  return quantizes_input(type) ? integer_panels : dense_panels;
}

std::size_t panel_bytes(dtype type, std::int64_t columns) {
  row_bytes(type, columns); // refuses partial blocks
  return family_of(type).panel_bytes(type, columns);
}

void pack_panel(const matrix_view& rows, std::byte* panel) {
  require(rows.layout == weight_layout::rows && rows.rows >= 1 &&
              rows.rows <= panel_rows &&
              panel_bytes(rows.type, rows.columns) > 0,
          "pack_panel: wants 1 to panel_rows rows, layout rows, of a type that "
          "this path packs; see weight_packing");
  family_of(rows.type).pack_panel(rows, panel);
}

void unpack_row(const matrix_view& panels, std::int64_t row, float* out) {
  require(panels.layout == weight_layout::panels && row >= 0 &&
              row < panels.rows,
          "unpack_row: wants a row of a packed matrix; check the view");
  family_of(panels.type).unpack_row(panels, row, out);
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/panel_integer.hpp"
#include "kernels/cpu/panel_operands.hpp"
#include "kernels/cpu/panel_product.hpp"
#include "kernels/cpu/panels.hpp"

// Quantised weights in panels. With few rows of x the weights are unpacked in
// registers, a panel after the other, so that memory is read in one stream.
// With many, a few panels are unpacked a group of k at a time into the nearest
// cache and multiplied in tiles with the rows of x, two panels a tile; the
// totals wait in between.

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t tall_rows = 192; // of x, whose totals wait at a time
constexpr int tall_panels = 4; // that share a tile of x, an even number
constexpr int few_passes = 8;  // at most, that unpack a panel in registers

template <panel_format Format>
struct panel_kernel : panel_operands<Format> {
  using operands = panel_operands<Format>;
  using operands::columns;
  using operands::group;
  using operands::to;
  using operands::write;
  using operands::x;

  template <int Columns>
  void few(std::int64_t row, std::int64_t m) const {
    alignas(64) float totals[Columns * panel_rows] = {};
    for (std::int64_t g = 0; g < x.groups; ++g) {
      const auto part = group(row, g);
      group_product<Format, false, 1, Columns>{
          &part, input_at(x, g, m), blocks_of(columns(), g), totals, 1}
          .run();
    }
    for (int c = 0; c < Columns; ++c) {
      write(row, m + c, totals + c * panel_rows);
    }
  }

  // Calls few<count>.
  template <int Columns = few_columns>
  void few(std::int64_t row, std::int64_t m, std::int64_t count) const {
    if constexpr (Columns > 1) {
      if (count < Columns) {
        return few<Columns - 1>(row, m, count);
      }
    }
    few<Columns>(row, m);
  }

  // One panel times all rows of x, in passes of nearly one size: the second
  // finds the panel in the cache.
  void pass(std::int64_t row) const {
    const std::int64_t passes = (x.rows + few_columns - 1) / few_columns;
    for (std::int64_t i = 0; i < passes; ++i) {
      const std::int64_t m = x.rows * i / passes;
      few(row, m, x.rows * (i + 1) / passes - m);
    }
  }

  // A group of two panels times `Columns` rows of x from m on.
  template <int Columns = tall_columns>
  void tile(const panel_group<Format, true>* panels, std::int64_t g,
            std::int64_t m, std::int64_t count, float* totals) const {
    if constexpr (Columns > 1) {
      if (count < Columns) {
        return tile<Columns - 1>(panels, g, m, count, totals);
      }
    }
    group_product<Format, true, 2, Columns>{
        panels, input_at(x, g, m), blocks_of(columns(), g), totals, tall_panels}
        .run();
  }

  // One group of the panels from `row` on; a pair that the weight does not
  // fill repeats its last panel.
  void unpack_panels(std::int64_t row, std::int64_t g, unpacked_codes* codes,
                     panel_group<Format, true>* panels) const {
    for (int p = 0; p < tall_panels; ++p) {
      const std::int64_t last = (to.weight.rows - 1) / panel_rows * panel_rows;
      const std::int64_t at = row + p * panel_rows;
      panels[p] = unpack(group(at < last ? at : last, g),
                         blocks_of(columns(), g), codes[p]);
    }
  }

  // The tiles of a run of rows of x, of nearly one size.
  struct tiling {
    std::int64_t first; // of x
    std::int64_t count;

    std::int64_t tiles() const {
      return (count + tall_columns - 1) / tall_columns;
    }
    std::int64_t start(std::int64_t tile) const {
      return count * tile / tiles();
    }
  };

  // Brings the places of a tile's results near before they are written.
  void fetch_out(std::int64_t row, const tiling& x_rows,
                 std::int64_t tile) const {
    if (tile >= x_rows.tiles()) {
      return;
    }
    for (std::int64_t i = x_rows.start(tile); i < x_rows.start(tile + 1); ++i) {
      const float* out =
          to.out.data + (x_rows.first + i) * to.out.row_stride + row;
      for (int p = 0; p < tall_panels; ++p) {
        prefetch(reinterpret_cast<const std::byte*>(out + p * panel_rows));
      }
    }
  }

  void write_tile(std::int64_t row, const tiling& x_rows, std::int64_t tile,
                  const float* totals) const {
    const std::int64_t rows = to.weight.rows - row;
    for (std::int64_t i = x_rows.start(tile); i < x_rows.start(tile + 1); ++i) {
      const float* from = totals + i * tall_panels * panel_rows;
      for (std::int64_t p = 0; p < tall_panels && p * panel_rows < rows; ++p) {
        write(row + p * panel_rows, x_rows.first + i, from + p * panel_rows);
      }
    }
  }

  // tall_panels panels from `row` on times some rows of x; each tile of x
  // meets all the panels.
  void tall(std::int64_t row, const tiling& x_rows) const {
    alignas(64) float totals[tall_rows * tall_panels * panel_rows];
    unpacked_codes codes[tall_panels];
    panel_group<Format, true> panels[tall_panels];
    const std::int64_t rows = to.weight.rows - row;
    __builtin_memset(totals, 0, x_rows.count * tall_panels * panel_rows * 4);
    for (std::int64_t g = 0; g < x.groups; ++g) {
      const bool last = g + 1 == x.groups;
      unpack_panels(row, g, codes, panels);
      for (std::int64_t t = 0; t < x_rows.tiles(); ++t) {
        const std::int64_t first = x_rows.start(t);
        float* tile_totals = totals + first * tall_panels * panel_rows;
        if (last) {
          fetch_out(row, x_rows, t + 1);
        }
        for (std::int64_t p = 0; p < tall_panels && p * panel_rows < rows;
             p += 2) {
          tile(panels + p, g, x_rows.first + first, x_rows.start(t + 1) - first,
               tile_totals + p * panel_rows);
        }
        if (last) {
          write_tile(row, x_rows, t, totals);
        }
      }
    }
  }

  void run(std::int64_t first, std::int64_t end) const {
    if (x.rows <= few_passes * few_columns) {
      for (std::int64_t row = first; row < end; row += panel_rows) {
        pass(row);
      }
      return;
    }
    const std::int64_t parts = (x.rows + tall_rows - 1) / tall_rows;
    for (std::int64_t row = first; row < end; row += tall_panels * panel_rows) {
      for (std::int64_t part = 0; part < parts; ++part) {
        const std::int64_t m = x.rows * part / parts;
        tall(row, {m, x.rows * (part + 1) / parts - m});
      }
    }
  }
};

template <panel_format Format>
void multiply(const projection& to, const matmul_input& input,
              std::int64_t first, std::int64_t end) {
  panel_kernel<Format>{{to, input.forms.integers}}.run(first, end);
}

projection_kernel kernel(dtype type) {
  return with_format(type, []<panel_format Format>() -> projection_kernel {
    return multiply<Format>;
  });
}

} // namespace

const panel_family integer_panels{
    .panel_bytes = integer_panel_bytes,
    .pack_panel = pack_integer_panel,
    .unpack_row = unpack_integer_row,
    .kernel = kernel,
    .prepare = [](dtype, const matmul_input& in, thread_pool& pool) {
      quantize_rows(in, pool);
    }};

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/panel_integer.hpp"
#include "kernels/cpu/panel_product.hpp"
#include "kernels/cpu/panels.hpp"

// Quantised weights in panels. With few rows of x the weights are unpacked in
// registers, a panel after the other, so that memory is read in one stream.
// With many, two panels are unpacked a group of k at a time into the nearest
// cache and multiplied in tiles with all rows of x; the totals wait in between.

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t tall_rows = 512; // of x, whose totals wait at a time

template <panel_format Format>
struct panel_kernel {
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
    const std::int64_t left = to.weight.rows - row;
    const bool whole = left >= panel_rows;
    const int count = static_cast<int>(left);
    if (!to.bias.empty()) {
      const float* bias = to.bias.data() + row;
      sum = add(sum, whole ? load(bias) : load_some(bias, count));
    }
    float* out = to.out.data + m * to.out.row_stride + row;
    whole ? store(out, sum) : store_some(out, sum, count);
  }

  template <int Columns>
  void few(std::int64_t row, std::int64_t m) const {
    alignas(64) float totals[Columns * panel_rows] = {};
    for (std::int64_t g = 0; g < x.groups; ++g) {
      const auto part = group(row, g);
      group_product<Format, false, 1, Columns>{&part, input_at(x, g, m),
                                               blocks_of(columns(), g), totals}
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

  // A group of two panels times `count` rows of x from m on.
  template <int Columns>
  SLUICE_INLINE void tile(const panel_group<Format, true>* panels,
                          std::int64_t g, std::int64_t m, float* totals) const {
    group_product<Format, true, 2, Columns>{panels, input_at(x, g, m),
                                            blocks_of(columns(), g), totals}
        .run();
  }

  template <int Columns = tall_columns>
  void tile(const panel_group<Format, true>* panels, std::int64_t g,
            std::int64_t m, std::int64_t count, float* totals) const {
    if constexpr (Columns > 1) {
      if (count < Columns) {
        return tile<Columns - 1>(panels, g, m, count, totals);
      }
    }
    tile<Columns>(panels, g, m, totals);
  }

  // Two panels from `row` on, the second one twice if it is the last, times
  // `count` rows of x from m on, cut into tiles of nearly one size.
  void tall(std::int64_t row, std::int64_t m, std::int64_t count) const {
    alignas(64) float totals[tall_rows * 2 * panel_rows];
    unpacked_codes codes[2];
    const std::int64_t second =
        row + panel_rows < to.weight.rows ? row + panel_rows : row;
    const std::int64_t tiles = (count + tall_columns - 1) / tall_columns;
    __builtin_memset(totals, 0, sizeof(float) * count * 2 * panel_rows);
    for (std::int64_t g = 0; g < x.groups; ++g) {
      const int blocks = blocks_of(columns(), g);
      const panel_group<Format, true> panels[2] = {
          unpack(group(row, g), blocks, codes[0]),
          unpack(group(second, g), blocks, codes[1])};
      for (std::int64_t t = 0; t < tiles; ++t) {
        const std::int64_t first = count * t / tiles;
        const std::int64_t end = count * (t + 1) / tiles;
        tile(panels, g, m + first, end - first,
             totals + first * 2 * panel_rows);
      }
    }
    for (std::int64_t i = 0; i < count; ++i) {
      write(row, m + i, totals + 2 * i * panel_rows);
      if (second != row) {
        write(second, m + i, totals + (2 * i + 1) * panel_rows);
      }
    }
  }

  void run(std::int64_t first, std::int64_t end) const {
    if (x.rows <= few_columns) {
      for (std::int64_t row = first; row < end && x.rows > 0;
           row += panel_rows) {
        few(row, 0, x.rows);
      }
      return;
    }
    const std::int64_t parts = (x.rows + tall_rows - 1) / tall_rows;
    for (std::int64_t row = first; row < end; row += 2 * panel_rows) {
      for (std::int64_t part = 0; part < parts; ++part) {
        const std::int64_t m = x.rows * part / parts;
        tall(row, m, x.rows * (part + 1) / parts - m);
      }
    }
  }
};

template <panel_format Format>
void multiply(const projection& to, const matmul_input& input,
              std::int64_t first, std::int64_t end) {
  panel_kernel<Format>{to, input.forms.integers}.run(first, end);
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

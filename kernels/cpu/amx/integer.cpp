// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/amx/families.hpp"
#include "kernels/cpu/amx/tiles.hpp"
#include "kernels/cpu/panel_integer.hpp"
#include "kernels/cpu/panel_operands.hpp"
#include "kernels/cpu/panel_product.hpp"
#include "kernels/cpu/panels.hpp"

// Quantised weights times many rows of x. A group of some panels is unpacked to
// signed bytes in the nearest cache; tiles give the integer sums below one
// scale, vectors multiply them by it.

namespace sluice::SLUICE_ISA::amx {

namespace {

constexpr std::int64_t most_rows = 192; // of x, whose totals wait at a time
constexpr std::int64_t few_rows = 32;   // up to which panels come one by one
constexpr int few_panels = 1;
constexpr int most_panels = 4;

/// Fours of k below one integer sum.
constexpr int fours_of(scale_kind kind) {
  return kind == scale_kind::row ? 16 : 8;
}

/// Fewest rows of x that tiles multiply faster than VNNI.
constexpr std::int64_t least_rows(scale_kind kind) {
  return kind == scale_kind::row ? 8 : 12;
}

/// Sums of 16 k are too short for tiles.
constexpr bool suits_tiles(const panel_format& format) {
  return format.scales != scale_kind::super_16 &&
         format.scales != scale_kind::super_16_and_min;
}

/// The codes of one group less their zero point, a line of four k's after the
/// other; whole groups, whatever the weight fills of the last one.
struct signed_codes {
  alignas(64) std::byte lines[group_columns * panel_rows];
};

template <panel_format Format>
void unpack_signed(const panel_group<Format, false>& from, int blocks,
                   signed_codes& to) {
  constexpr int zero = Format.zero_exponent < 0 ? 0 : 1 << Format.zero_exponent;
  const bytes offset = _mm512_set1_epi8(static_cast<char>(zero));
  for (int b = 0; b < blocks; ++b) {
    if constexpr (Format.scales == scale_kind::row) { // else run_scaled does
      from.fetch(b);
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      store_line(to.lines + (b * 8 + j) * line_bytes,
                 _mm512_sub_epi8(from.line(b, j), offset));
    }
  }
  if (blocks < group_blocks) { // x is 0 there
    __builtin_memset(to.lines + blocks * 8 * line_bytes, 0,
                     static_cast<std::size_t>(group_blocks - blocks) * 8 *
                         line_bytes);
  }
}

/// Integer sums of one tile: rows of x by rows of a panel.
struct alignas(64) tile_sums {
  std::int32_t rows[tile_height][panel_rows];
};

/// One group of a panel times one tile of x.
template <panel_format Format>
struct tile_item {
  panel_group<Format, false> panel; // its scales
  const std::byte* codes;           // of signed_codes
  std::int64_t m;                   // first row of x
  float* totals;                    // [rows, stride]
};

/// One group of k: some panels times tiles of x of one height.
template <panel_format Format, int Rows>
struct group_pass {
  const integer_input& input;
  std::int64_t g;
  int height; // of the tiles, at most Rows
  int blocks;
  std::int64_t stride; // of totals, in floats

  using item = tile_item<Format>;
  static constexpr int fours = fours_of(Format.scales);
  static constexpr int most_subs = 64 / fours;

  SLUICE_INLINE const std::int8_t* x(const item& of, int sub) const {
    return input.values + (g * input.rows + of.m) * group_columns +
           sub * fours * 4;
  }

  SLUICE_INLINE static const std::byte* lines(const item& of, int sub) {
    return of.codes + sub * fours * line_bytes;
  }

  // -- integers --------------------------------------------------------------

  // The sums below one scale.
  template <int Tile>
  SLUICE_INLINE void multiply_in(const item& of, int sub, tile_sums& to) const {
    constexpr int of_x = 4 + Tile % 2;
    constexpr int of_codes = 6 + Tile % 2;
    zero_tile<Tile>();
    load_tile<of_x>(x(of, sub), group_columns);
    load_tile<of_codes>(lines(of, sub), line_bytes);
    multiply_bytes<Tile, of_x, of_codes>();
    store_tile<Tile>(to.rows, sizeof to.rows[0]);
  }

  // -- floats ----------------------------------------------------------------

  SLUICE_INLINE static vec scale(const item& of, int sub) {
    if constexpr (Format.scales == scale_kind::f16_per_32 ||
                  Format.scales == scale_kind::f16_and_min_per_32 ||
                  Format.scales == scale_kind::e8m0_per_32) {
      return of.panel.scale(sub);
    } else {
      return to_float(of.panel.sub_scale(sub));
    }
  }

  SLUICE_INLINE static vec load_sums(const tile_sums& from, int row) {
    return to_float(_mm512_load_si512(from.rows[row]));
  }

  // parts += sums times their scale, and the block's min times the sum of x.
  SLUICE_INLINE void weigh(const item& of, int sub, const tile_sums& from,
                           vec (&parts)[Rows]) const {
    const vec factor = scale(of, sub);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      parts[r] = fma(load_sums(from, r), factor, parts[r]);
    }
    if constexpr (Format.scales == scale_kind::f16_and_min_per_32) {
      const vec min = of.panel.min(sub);
      const std::int32_t* negative =
          input.sums32 + (g * input.rows + of.m) * 8 + sub;
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        const int row = r < height ? r : 0;
        parts[r] = fma(min, to_float(broadcast(-negative[row * 8])), parts[r]);
      }
    }
  }

  // The group's sum of row r, onto the total.
  SLUICE_INLINE void finish_row(const item& of, int r, vec part) const {
    using product = group_product<Format, false, 1, 1>;
    const product one{&of.panel, input_at(input, g, of.m + r), blocks,
                      of.totals + r * stride, 1};
    if constexpr (product::has_mins) {
      const vec mins =
          mul(to_float(one.negative_mins(0, 0)), of.panel.super_min());
      one.finish(0, 0, fma(part, of.panel.super_scale(), mins));
    } else if constexpr (Format.scales == scale_kind::super_32 ||
                         Format.scales == scale_kind::super_16) {
      one.finish(0, 0, mul(part, of.panel.super_scale()));
    } else {
      one.finish(0, 0, part);
    }
  }

  SLUICE_INLINE void finish(const item& of, const vec (&parts)[Rows]) const {
    if (height == Rows) {
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
        finish_row(of, r, parts[r]);
      }
      return;
    }
    alignas(64) float rows[Rows][panel_rows];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      store(rows[r], parts[r]);
    }
    for (int r = 0; r < height; ++r) {
      finish_row(of, r, load(rows[r]));
    }
  }

  // -- both ------------------------------------------------------------------

  // Tiles multiply one sub-block while vectors weigh the one before, and, if
  // wanted, the group after the next one comes from memory: unpacking alone is
  // too short for that.
  void run_scaled(const item& of, bool fetches) const {
    constexpr std::int64_t distance = 2 * group_bytes(Format, group_blocks);
    tile_sums sums[2];
    vec parts[Rows];
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      parts[r] = set(0);
    }
    const int count = blocks * 8 / fours;
    multiply_in<0>(of, 0, sums[0]);
    for (int sub = 0; sub < count; sub += 2) {
      const bool second = sub + 1 < count;
      if (fetches) {
        of.panel.fetch(sub, distance);
        of.panel.fetch(sub + 1, distance);
      }
      if (second) {
        multiply_in<1>(of, sub + 1, sums[1]);
      }
      weigh(of, sub, sums[0], parts);
      if (sub + 2 < count) {
        multiply_in<0>(of, sub + 2, sums[0]);
      }
      if (second) {
        weigh(of, sub + 1, sums[1], parts);
      }
    }
    finish(of, parts);
  }

  template <int Panel>
  SLUICE_INLINE void add_panels(const item* items, int count, int sub) const {
    constexpr int of_codes = 5 + Panel % 3;
    if (Panel < count) {
      load_tile<of_codes>(lines(items[Panel], sub), line_bytes);
      multiply_bytes<Panel, 4, of_codes>();
      if constexpr (Panel + 1 < most_panels) {
        add_panels<Panel + 1>(items, count, sub);
      }
    }
  }

  // The whole group of up to four panels, which share one tile of x.
  void multiply_panels(const item* items, int count, tile_sums* to) const {
    zero_tile<0>();
    zero_tile<1>();
    zero_tile<2>();
    zero_tile<3>();
    for (int sub = 0; sub < most_subs; ++sub) {
      load_tile<4>(x(items[0], sub), group_columns);
      add_panels<0>(items, count, sub);
    }
    store_tile<0>(to[0].rows, panel_rows * 4);
    store_tile<1>(to[1].rows, panel_rows * 4);
    store_tile<2>(to[2].rows, panel_rows * 4);
    store_tile<3>(to[3].rows, panel_rows * 4);
  }

  void finish_plain(const item& of, const tile_sums& sums) const {
    for (int r = 0; r < height; ++r) {
      finish_row(of, r, load_sums(sums, r));
    }
  }

  // One scale a row; tiles are again one step ahead.
  void run_plain(const item* items, int count, int panels) const {
    tile_sums sums[2][4];
    for (int i = 0, turn = 0; i <= count; i += panels, ++turn) {
      if (i > 0) {
        for (int p = 0; p < panels; ++p) {
          finish_plain(items[i - panels + p], sums[(turn + 1) % 2][p]);
        }
      }
      if (i < count) {
        multiply_panels(items + i, panels, sums[turn % 2]);
      }
    }
  }
};

template <panel_format Format>
struct tile_kernel : panel_operands<Format> {
  using operands = panel_operands<Format>;
  using operands::columns;
  using operands::group;
  using operands::to;
  using operands::write;
  using operands::x;

  static constexpr int most_tiles = most_rows / tile_height;

  static void shape(tile_session& session, int rows) {
    if (session.height() == rows) {
      return;
    }
    constexpr int fours = fours_of(Format.scales);
    constexpr bool plain = Format.scales == scale_kind::row;
    tile_shapes shapes;
    for (int tile = 0; tile < 8; ++tile) {
      if (tile < 4) {
        shapes.set(tile, rows, 64); // sums
      } else if (tile == 4 || (tile == 5 && !plain)) {
        shapes.set(tile, rows, fours * 4); // x
      } else {
        shapes.set(tile, fours, 64); // codes
      }
    }
    session.shape(shapes, rows);
  }

  /// Some rows of x times some panels.
  struct block {
    std::int64_t row; // of the first panel
    int panels;
    std::int64_t m; // first row of x
    std::int64_t count;
    signed_codes* codes; // [panels]
    float* totals;       // [count, panels, panel_rows]
  };

  template <int Rows>
  void multiply_tiles(const block& at, std::int64_t g, int first, int tiles,
                      int height) const {
    const std::int64_t stride = at.panels * panel_rows;
    const group_pass<Format, Rows> pass{x, g, height, blocks_of(columns(), g),
                                        stride};
    tile_item<Format> items[most_tiles * most_panels];
    int count = 0;
    for (int t = first; t < first + tiles; ++t) {
      for (int p = 0; p < at.panels; ++p) {
        items[count++] = {group(at.row + p * panel_rows, g), at.codes[p].lines,
                          at.m + t * tile_height,
                          at.totals + t * tile_height * stride +
                              p * panel_rows};
      }
    }
    if constexpr (Format.scales == scale_kind::row) {
      pass.run_plain(items, count, at.panels);
    } else {
      for (int i = 0; i < count; ++i) {
        pass.run_scaled(items[i], first == 0 && i < at.panels);
      }
    }
  }

  void multiply_group(const block& at, std::int64_t g,
                      tile_session& session) const {
    const int full = static_cast<int>(at.count / tile_height);
    const int rest = static_cast<int>(at.count % tile_height);
    if (full > 0) {
      shape(session, tile_height);
      multiply_tiles<tile_height>(at, g, 0, full, tile_height);
    }
    if (rest > 0) {
      shape(session, rest);
      rest > tile_height / 2
          ? multiply_tiles<tile_height>(at, g, full, 1, rest)
          : multiply_tiles<tile_height / 2>(at, g, full, 1, rest);
    }
  }

  void multiply(const block& at, tile_session& session) const {
    __builtin_memset(at.totals, 0,
                     static_cast<std::size_t>(at.count) *
                         static_cast<std::size_t>(at.panels) * panel_rows * 4);
    for (std::int64_t g = 0; g < x.groups; ++g) {
      for (int p = 0; p < at.panels; ++p) {
        const auto packed = group(at.row + p * panel_rows, g);
        packed.fetch_scales();
        unpack_signed<Format>(packed, blocks_of(columns(), g), at.codes[p]);
      }
      multiply_group(at, g, session);
    }
    for (std::int64_t i = 0; i < at.count; ++i) {
      for (int p = 0; p < at.panels; ++p) {
        write(at.row + p * panel_rows, at.m + i,
              at.totals + (i * at.panels + p) * panel_rows);
      }
    }
  }

  void run(std::int64_t first, std::int64_t end) const {
    alignas(64) float totals[most_rows * most_panels * panel_rows];
    signed_codes codes[most_panels];
    tile_session session;
    const std::int64_t parts = (x.rows + most_rows - 1) / most_rows;
    const int together = x.rows <= few_rows ? few_panels : most_panels;
    for (std::int64_t row = first; row < end; row += together * panel_rows) {
      const auto left =
          static_cast<int>((end - row + panel_rows - 1) / panel_rows);
      const int panels = left < together ? left : together;
      for (std::int64_t part = 0; part < parts; ++part) {
        const std::int64_t m = x.rows * part / parts;
        multiply(
            {row, panels, m, x.rows * (part + 1) / parts - m, codes, totals},
            session);
      }
    }
  }
};

template <panel_format Format>
void multiply(const projection& to, const matmul_input& input,
              std::int64_t first, std::int64_t end) {
  const integer_input& x = input.forms.integers;
  if (x.rows < least_rows(Format.scales)) {
    return integer_panels.kernel(to.weight.type)(to, input, first, end);
  }
  tile_kernel<Format>{{to, x}}.run(first, end);
}

} // namespace

projection_kernel integer_kernel(dtype type) {
  return with_format(type, []<panel_format Format>() -> projection_kernel {
    if constexpr (suits_tiles(Format)) {
      return multiply<Format>;
    } else {
      return nullptr;
    }
  });
}

} // namespace sluice::SLUICE_ISA::amx

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/amx/families.hpp"
#include "kernels/cpu/amx/tiles.hpp"
#include "kernels/cpu/bf16_rounding.hpp"
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/panel_output.hpp"

// bf16 panels. x lies in tiles of 16 rows, a chunk of 32 k of all its rows
// after the other, so that a tile is 1 KB in one piece, like the 16 lines of a
// panel that it meets.

namespace sluice::SLUICE_ISA::amx {

namespace {

constexpr std::int64_t chunk_columns = 32;
constexpr std::int64_t chunk_bytes = 64;
constexpr std::int64_t chunk_lines = 16;
constexpr std::int64_t panel_chunk_bytes = chunk_lines * 64;
constexpr std::int64_t depth = 8;       // chunks of weights that stay in L1
constexpr std::int64_t most_rows = 192; // of x, whose totals wait at a time
constexpr std::int64_t fetch_ahead = 4096;

struct input_tiles {
  std::int64_t rows;
  std::int64_t columns;

  std::int64_t chunks() const {
    return (columns + chunk_columns - 1) / chunk_columns;
  }
  std::int64_t height(std::int64_t first_row) const {
    const std::int64_t left = rows - first_row;
    return left < tile_height ? left : tile_height;
  }
  /// Bytes in front of a chunk of row m.
  std::int64_t at(std::int64_t m, std::int64_t chunk) const {
    const std::int64_t first = m / tile_height * tile_height;
    return (first * chunks() + chunk * height(first) + m - first) * chunk_bytes;
  }
};

/// The four C tiles: `Tiles` tiles of x times `Panels` panels.
template <int Tiles, int Panels>
struct tile_block {
  static_assert(Tiles * Panels <= 4 && Tiles <= 2);
  const std::byte* x[Tiles]; // their chunks
  std::int64_t x_step[Tiles];
  const std::byte* weights[Panels];
  float* totals; // [rows, stride]; tile t from row 16 t on
  std::int64_t stride;

  // C of tile t and panel p is register Panels * t + p, A 4 + t, B 6 and 7 in
  // turn.
  template <int Tile, int Panel>
  SLUICE_INLINE void move(bool in) const {
    constexpr int number = Tile * Panels + Panel;
    float* at = totals + Tile * tile_height * stride + Panel * panel_rows;
    in ? load_tile<number>(at, stride * 4) : store_tile<number>(at, stride * 4);
  }

  template <int Panel = 0>
  SLUICE_INLINE void move_all(bool in) const {
    move<0, Panel>(in);
    if constexpr (Tiles > 1) {
      move<1, Panel>(in);
    }
    if constexpr (Panel + 1 < Panels) {
      move_all<Panel + 1>(in);
    }
  }

  SLUICE_INLINE void fetch(const std::byte* line) const {
#pragma GCC unroll 16
    for (int i = 0; i < chunk_lines; ++i) {
      prefetch(line + fetch_ahead + i * 64);
    }
  }

  template <int Panel = 0>
  SLUICE_INLINE void
  multiply_panels(const std::byte* const (&line)[Panels]) const {
    constexpr int of_weights = 6 + Panel % 2;
    load_tile<of_weights>(line[Panel], 64);
    multiply_bf16s<Panel, 4, of_weights>();
    if constexpr (Tiles > 1) {
      multiply_bf16s<Panels + Panel, 5, of_weights>();
    }
    if constexpr (Panel + 1 < Panels) {
      multiply_panels<Panel + 1>(line);
    }
  }

  template <bool Fetch>
  SLUICE_INLINE void multiply_chunk(const std::byte* const (&line)[Panels],
                                    std::int64_t chunk) const {
    load_tile<4>(x[0] + chunk * x_step[0], chunk_bytes);
    if constexpr (Tiles > 1) {
      load_tile<5>(x[1] + chunk * x_step[1], chunk_bytes);
    }
    if constexpr (Fetch) {
#pragma GCC unroll 4
      for (int p = 0; p < Panels; ++p) {
        fetch(line[p]);
      }
    }
    multiply_panels(line);
  }

  /// Adds the products of whole chunks [first, end).
  template <bool Fetch>
  void run(std::int64_t first, std::int64_t end) const {
    move_all(true);
    for (std::int64_t chunk = first; chunk < end; ++chunk) {
      const std::byte* line[Panels];
#pragma GCC unroll 4
      for (int p = 0; p < Panels; ++p) {
        line[p] = weights[p] + chunk * panel_chunk_bytes;
      }
      multiply_chunk<Fetch>(line, chunk);
    }
    move_all(false);
  }

  /// Adds a last chunk of fewer lines.
  void run_part(std::int64_t chunk, std::int64_t lines) const {
    alignas(64) std::byte padded[Panels][panel_chunk_bytes] = {};
    const std::byte* line[Panels];
    for (int p = 0; p < Panels; ++p) {
      __builtin_memcpy(padded[p], weights[p] + chunk * panel_chunk_bytes,
                       static_cast<std::size_t>(lines) * 64);
      line[p] = padded[p];
    }
    move_all(true);
    multiply_chunk<false>(line, chunk);
    move_all(false);
  }
};

struct bf16_kernel {
  const projection& to;
  const std::byte* x;
  input_tiles shape;

  // The panel that starts with a row, or the last one for rows past it.
  const std::byte* panel(std::int64_t row) const {
    const std::int64_t last = (to.weight.rows - 1) / panel_rows;
    const std::int64_t wanted = row / panel_rows;
    return to.weight.data +
           static_cast<std::size_t>(wanted < last ? wanted : last) *
               to.weight.row_stride_bytes;
  }

  static void shape_tiles(tile_session& session, std::int64_t first_height,
                          std::int64_t second_height) {
    const int first = static_cast<int>(first_height);
    const int second = static_cast<int>(second_height);
    if (session.height() == first * 32 + second) {
      return;
    }
    tile_shapes shapes;
    const bool two = second > 0;
    for (int c = 0; c < 4; ++c) {
      shapes.set(c, two && c >= 2 ? second : first, 64);
    }
    shapes.set(4, first, 64);
    shapes.set(5, two ? second : first, 64);
    shapes.set(6, chunk_lines, 64);
    shapes.set(7, chunk_lines, 64);
    session.shape(shapes, first * 32 + second);
  }

  template <int Tiles, int Panels>
  tile_block<Tiles, Panels> block_at(std::int64_t row, std::int64_t m,
                                     float* totals) const {
    tile_block<Tiles, Panels> block;
    for (int t = 0; t < Tiles; ++t) {
      const std::int64_t first = m + t * tile_height;
      block.x[t] = x + shape.at(first, 0);
      block.x_step[t] = shape.height(first) * chunk_bytes;
    }
    for (int p = 0; p < Panels; ++p) {
      block.weights[p] = panel(row + p * panel_rows);
    }
    block.totals = totals;
    block.stride = Panels * panel_rows;
    return block;
  }

  std::int64_t whole_chunks() const { return shape.columns / chunk_columns; }
  std::int64_t rest_lines() const {
    return (shape.columns % chunk_columns + 1) / 2;
  }

  // Some chunks of one or two tiles of x; the last call adds the rest.
  template <bool Fetch, int Tiles, int Panels>
  void add_chunks(const tile_block<Tiles, Panels>& block,
                  std::int64_t chunk) const {
    const std::int64_t whole = whole_chunks();
    const std::int64_t end = chunk + depth < whole ? chunk + depth : whole;
    block.template run<Fetch>(chunk, end);
    if (end == whole && rest_lines() > 0) {
      block.run_part(whole, rest_lines());
    }
  }

  // At most 16 rows of x: panels stream past them, four at a time.
  void few(std::int64_t row) const {
    constexpr int panels = 4;
    alignas(64) float totals[tile_height * panels * panel_rows] = {};
    const auto block = block_at<1, panels>(row, 0, totals);
    block.template run<true>(0, whole_chunks());
    if (rest_lines() > 0) {
      block.run_part(whole_chunks(), rest_lines());
    }
    for (std::int64_t m = 0; m < shape.rows; ++m) {
      for (int p = 0; p < panels; ++p) {
        write_sums(to, row + p * panel_rows, m,
                   load(totals + (m * panels + p) * panel_rows));
      }
    }
  }

  // Rows [first, first + count) of x times two panels.
  void many(std::int64_t row, std::int64_t first, std::int64_t count,
            tile_session& session) const {
    constexpr int panels = 2;
    constexpr std::int64_t stride = panels * panel_rows;
    alignas(64) float totals[most_rows * stride] = {};
    const std::int64_t chunks = whole_chunks() > 0 ? whole_chunks() : 1;
    for (std::int64_t chunk = 0; chunk < chunks; chunk += depth) {
      for (std::int64_t at = 0; at < count; at += 2 * tile_height) {
        const std::int64_t m = first + at;
        const bool two = at + tile_height < count;
        const std::int64_t one = shape.height(m);
        const std::int64_t other = two ? shape.height(m + tile_height) : 0;
        shape_tiles(session, one, other);
        float* own = totals + at * stride;
        if (two) {
          add_chunks<false>(block_at<2, panels>(row, m, own), chunk);
        } else {
          add_chunks<false>(block_at<1, panels>(row, m, own), chunk);
        }
      }
    }
    for (std::int64_t i = 0; i < count; ++i) {
      for (int p = 0; p < panels; ++p) {
        write_sums(to, row + p * panel_rows, first + i,
                   load(totals + i * stride + p * panel_rows));
      }
    }
  }

  void run(std::int64_t first, std::int64_t end) const {
    tile_session session;
    if (shape.rows <= tile_height) {
      shape_tiles(session, shape.rows, 0);
      for (std::int64_t row = first; row < end; row += 4 * panel_rows) {
        few(row);
      }
      return;
    }
    for (std::int64_t row = first; row < end; row += 2 * panel_rows) {
      for (std::int64_t m = 0; m < shape.rows; m += most_rows) {
        const std::int64_t left = shape.rows - m;
        many(row, m, left < most_rows ? left : most_rows, session);
      }
    }
  }
};

} // namespace

void round_to_bf16(const matmul_input& input, thread_pool& pool) {
  const input_tiles shape{input.x.rows, input.x.columns};
  auto* const to = reinterpret_cast<std::byte*>(input.forms.bf16);
  for_rows(pool, shape.rows, shape.columns, [&](std::int64_t m) {
    const float* from = input.x.data + m * input.x.row_stride;
    for (std::int64_t c = 0; c < shape.chunks(); ++c) {
      const std::int64_t k = c * chunk_columns;
      round_chunk(from + k, shape.columns - k, to + shape.at(m, c));
    }
  });
}

void multiply_bf16(const projection& to, const matmul_input& input,
                   std::int64_t first, std::int64_t end) {
  bf16_kernel{to,
              reinterpret_cast<const std::byte*>(input.forms.bf16),
              {input.x.rows, input.x.columns}}
      .run(first, end);
}

} // namespace sluice::SLUICE_ISA::amx

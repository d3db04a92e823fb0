// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/panel_output.hpp"
#include "kernels/cpu/tiled_rows.hpp"

// Products of x with panels of f32, f16 and bf16. A panel is a sequence of
// lines, each with the same one or two k of all its rows, row after row: two
// for bf16. Every output is one accumulator over K in order.
//
// A Format of panels has
//   line_bytes, line_columns   bytes and k's of one line of the weights
//   x_bytes                    of an element of x
//   parts                      products of one line, in order of k
//   weight(line, part), input(x, line, part)   factors; x is a row's chunk
//   multiply(sum, weight, input)

namespace sluice::SLUICE_ISA {

/// The most rows of x that four panels side by side leave registers for.
inline constexpr int few_rows = panel_rows >= 16 ? 6 : 2;

/// Weights to fetch while others are multiplied.
struct read_ahead {
  const std::byte* from = nullptr;
  int lines = 0; // of 64 bytes, each chunk
};

template <class Format>
struct dense_kernel {
  const projection& to;
  const std::byte* x;
  tiled_rows shape;

  static constexpr std::int64_t chunk_columns = chunk_bytes / Format::x_bytes;
  static constexpr int chunk_lines = chunk_columns / Format::line_columns;
  static constexpr std::int64_t panel_chunk_bytes =
      chunk_lines * Format::line_bytes;

  // The panel that starts with a row, or the last one for rows past it.
  const std::byte* panel(std::int64_t row) const {
    const std::int64_t last = (to.weight.rows - 1) / panel_rows;
    const std::int64_t wanted = row / panel_rows;
    return to.weight.data +
           static_cast<std::size_t>(wanted < last ? wanted : last) *
               to.weight.row_stride_bytes;
  }

  template <int Panels, int Rows>
  struct tile {
    vec sums[Rows][Panels];
    const std::byte* weights[Panels];
    const std::byte* x;

    SLUICE_INLINE void multiply(int line) {
#pragma GCC unroll 2
      for (int part = 0; part < Format::parts; ++part) {
        decltype(Format::weight(x, 0)) w[Panels];
#pragma GCC unroll 4
        for (int p = 0; p < Panels; ++p) {
          w[p] = Format::weight(weights[p] + line * Format::line_bytes, part);
        }
#pragma GCC unroll 16
        for (int r = 0; r < Rows; ++r) {
          const auto in = Format::input(x + r * chunk_bytes, line, part);
#pragma GCC unroll 4
          for (int p = 0; p < Panels; ++p) {
            sums[r][p] = Format::multiply(sums[r][p], w[p], in);
          }
        }
      }
    }

    // Far enough ahead for the latency of memory.
    SLUICE_INLINE void prefetch_line(int line) const {
      constexpr int step =
          Format::line_bytes < 64 ? 64 / Format::line_bytes : 1;
      if (line % step == 0) {
#pragma GCC unroll 4
        for (int p = 0; p < Panels; ++p) {
          prefetch(weights[p] + line * Format::line_bytes + 4096);
        }
      }
    }

    SLUICE_INLINE void next_chunk() {
#pragma GCC unroll 4
      for (int p = 0; p < Panels; ++p) {
        weights[p] += panel_chunk_bytes;
      }
      x += Rows * chunk_bytes;
    }

    // All of K. The first tile of x meets the weights in memory; the others,
    // which find them in a cache, fetch `ahead.lines` a chunk of the next ones.
    SLUICE_INLINE void run(std::int64_t columns, read_ahead ahead) {
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
        for (int p = 0; p < Panels; ++p) {
          sums[r][p] = set(0);
        }
      }
      for (; columns >= chunk_columns; columns -= chunk_columns) {
        if (ahead.lines == 0) {
#pragma GCC unroll 4
          for (int line = 0; line < chunk_lines; ++line) {
            prefetch_line(line);
            multiply(line);
          }
        } else {
          for (int i = 0; i < ahead.lines; ++i, ahead.from += 64) {
            prefetch(ahead.from);
          }
#pragma GCC unroll 4
          for (int line = 0; line < chunk_lines; ++line) {
            multiply(line);
          }
        }
        next_chunk();
      }
      for (int line = 0; line * Format::line_columns < columns; ++line) {
        multiply(line);
      }
    }
  };

  // What tile t fetches of the panels behind those at `row`.
  template <int Panels>
  read_ahead ahead_of(std::int64_t row, std::int64_t t,
                      std::int64_t end) const {
    if (t == 0 || row + Panels * panel_rows >= end) {
      return {};
    }
    const std::int64_t others = shape.tiles() - 1;
    const std::int64_t lines =
        (Panels * panel_chunk_bytes / 64 + others - 1) / others;
    return {panel(row + Panels * panel_rows) +
                (t - 1) * shape.chunks() * lines * 64,
            static_cast<int>(lines)};
  }

  // Panels from `row` on times tile t of x.
  template <int Panels, int Rows>
  void multiply(std::int64_t row, std::int64_t t, std::int64_t end) const {
    tile<Panels, Rows> one;
#pragma GCC unroll 4
    for (int p = 0; p < Panels; ++p) {
      one.weights[p] = panel(row + p * panel_rows);
    }
    one.x = x + shape.offset(t);
    one.run(shape.columns, ahead_of<Panels>(row, t, end));
    const std::int64_t m = shape.first_row(t);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int p = 0; p < Panels; ++p) {
        write_sums(to, row + p * panel_rows, m + r, one.sums[r][p]);
      }
    }
  }

  // Calls multiply<Panels, rows of tile t>.
  template <int Panels, int Rows>
  void dispatch(std::int64_t row, std::int64_t t, std::int64_t end) const {
    if constexpr (Rows > 1) {
      if (shape.first_row(t + 1) - shape.first_row(t) < Rows) {
        return dispatch<Panels, Rows - 1>(row, t, end);
      }
    }
    multiply<Panels, Rows>(row, t, end);
  }

  void run(std::int64_t first, std::int64_t end) const {
    std::int64_t row = first;
    if (shape.rows > 0 && shape.rows <= few_rows) {
      for (; row + 2 * panel_rows < end; row += 4 * panel_rows) {
        dispatch<4, few_rows>(row, 0, end);
      }
    }
    for (; row < end; row += 2 * panel_rows) {
      for (std::int64_t t = 0; t < shape.tiles(); ++t) {
        dispatch<2, tile_rows>(row, t, end);
      }
    }
  }
};

} // namespace sluice::SLUICE_ISA

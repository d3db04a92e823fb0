// SPDX-License-Identifier: Apache-2.0
#include "kernels/convert.hpp"
#include "kernels/cpu/matmul_tiles.hpp"
#include "kernels/cpu/projection.hpp"

// Weights that lie in rows: f32, f16, bf16, q8_0 and q4_0 in tiles, every
// other type expanded to f32 a group at a time, which is slow.

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t most_tile_rows = 4;

// Everything a tile of the output needs; `input` stands at row 0, column 0.
struct job {
  const projection& to;
  std::int64_t rows; // of x
  tile_input input;
};

template <template <class, int, int> class Tile, class Format>
struct multiplier {
  // Outputs [m, m + Rows) x [n, n + Columns).
  template <int Rows, int Columns>
  static void tile(const job& at, std::int64_t m, std::int64_t n) {
    tile_input in = at.input;
    in.weight += static_cast<std::size_t>(n) * in.weight_stride_bytes;
    in.x += m * in.x_stride;
    in.m = m;
    Tile<Format, Rows, Columns> result;
    for (auto& row : result.sums) {
      for (vec& total : row) {
        total = set(0);
      }
    }
    result.run(in);
    const activations& out = at.to.out;
    const float* bias = at.to.bias.data();
    for (int r = 0; r < Rows; ++r) {
      for (int c = 0; c < Columns; ++c) {
        out.data[(m + r) * out.row_stride + n + c] =
            sum(result.sums[r][c]) + (bias != nullptr ? bias[n + c] : 0.0f);
      }
    }
  }

  // Rows [m, m + Rows) of all columns [n, end).
  template <int Rows>
  static void strip(const job& at, std::int64_t m, std::int64_t n,
                    std::int64_t end) {
    constexpr int columns = Rows <= 2 ? 4 : wide_columns;
    for (; n + columns <= end; n += columns) {
      tile<Rows, columns>(at, m, n);
    }
    for (; n < end; ++n) {
      tile<Rows, 1>(at, m, n);
    }
  }

  // All rows of columns [n, end): the weights stay in the cache meanwhile.
  static void columns(const job& at, std::int64_t n, std::int64_t end) {
    for (std::int64_t m = 0; m < at.rows; m += most_tile_rows) {
      switch (at.rows - m) {
      case 1:
        strip<1>(at, m, n, end);
        break;
      case 2:
        strip<2>(at, m, n, end);
        break;
      case 3:
        strip<3>(at, m, n, end);
        break;
      default:
        strip<4>(at, m, n, end);
      }
    }
  }
};

template <template <class, int, int> class Tile, class Format>
void multiply(const projection& to, const matmul_input& input,
              std::int64_t first, std::int64_t end) {
  const tile_input start{.weight = to.weight.data,
                         .weight_stride_bytes = to.weight.row_stride_bytes,
                         .x = input.x.data,
                         .x_stride = input.x.row_stride,
                         .integers = input.forms.integers,
                         .m = 0,
                         .k = input.x.columns};
  multiplier<Tile, Format>::columns({to, input.x.rows, start}, first, end);
}

constexpr std::int64_t group = integer_input::group;

// Elements [first, first + count) of a row.
void expand(const matrix_view& weight, std::int64_t row, std::int64_t first,
            std::int64_t count, float* out) {
  const std::byte* start =
      weight.data + static_cast<std::size_t>(row) * weight.row_stride_bytes;
  const bool integers = weight.type == dtype::w8a8;
  if (!integers && weight.type != dtype::fp8) {
    return dequantize_row(weight.type, start + row_bytes(weight.type, first),
                          {out, static_cast<std::size_t>(count)});
  }
  float scale = 0; // behind the whole row
  __builtin_memcpy(&scale, start + weight.columns, sizeof scale);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::byte element = start[first + i];
    out[i] = scale *
             (integers ? static_cast<float>(static_cast<std::int8_t>(element))
                       : f8_e4m3_to_f32(static_cast<std::uint8_t>(element)));
  }
}

// The sum of a group's products, in one fixed order; zeros pad both sides.
float group_dot(const float* weight, const std::int8_t* values) {
  constexpr int width = 16;
  float sums[width] = {};
  for (std::int64_t k = 0; k < group; k += width) {
    for (int i = 0; i < width; ++i) {
      sums[i] += weight[k + i] * static_cast<float>(values[k + i]);
    }
  }
  for (int half = width / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) {
      sums[i] += sums[i + half];
    }
  }
  return sums[0];
}

void multiply_expanded(const projection& to, const matmul_input& input,
                       std::int64_t first, std::int64_t end) {
  const integer_input& x = input.forms.integers;
  const std::int64_t columns = to.weight.columns;
  const auto output = [&](std::int64_t m, std::int64_t n) -> float& {
    return to.out.data[m * to.out.row_stride + n];
  };
  for (std::int64_t n = first; n < end; ++n) {
    for (std::int64_t m = 0; m < x.rows; ++m) {
      output(m, n) = 0;
    }
    for (std::int64_t g = 0; g < x.groups; ++g) {
      float weight[group] = {};
      const std::int64_t left = columns - g * group;
      expand(to.weight, n, g * group, left < group ? left : group, weight);
      for (std::int64_t m = 0; m < x.rows; ++m) {
        const std::int64_t at = g * x.rows + m;
        output(m, n) += x.scales[at] * group_dot(weight, x.values + at * group);
      }
    }
    for (std::int64_t m = 0; m < x.rows && !to.bias.empty(); ++m) {
      output(m, n) += to.bias.data()[n];
    }
  }
}

} // namespace

projection_kernel rows_kernel(dtype type) {
  switch (type) {
  case dtype::f32:
    return multiply<dense_tile, f32_format>;
  case dtype::f16:
    return multiply<dense_tile, f16_format>;
  case dtype::bf16:
    return multiply<dense_tile, bf16_format>;
  case dtype::q8_0:
    return multiply<quantized_tile, q8_0>;
  case dtype::q4_0:
    return multiply<quantized_tile, q4_0>;
  default:
    return multiply_expanded;
  }
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/matmul_tiles.hpp"
#include "kernels/cpu/ops.hpp"

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t most_tile_rows = 4;

// Everything a tile of the output needs; `input` stands at row 0, column 0.
struct job {
  const matmul_args& args;
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
    in.values += in.values != nullptr ? m * in.k : 0;
    Tile<Format, Rows, Columns> result;
    for (auto& row : result.sums) {
      for (vec& total : row) {
        total = set(0);
      }
    }
    result.run(in);
    const activations& out = at.args.out;
    const float* bias = at.args.bias.data();
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
    const std::int64_t rows = at.args.x.rows;
    for (std::int64_t m = 0; m < rows; m += most_tile_rows) {
      switch (rows - m) {
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

std::int64_t clamp(std::int64_t value, std::int64_t low, std::int64_t high) {
  return value < low ? low : (value > high ? high : value);
}

// Columns that one thread takes at a time: enough work to pay for the claim,
// few enough to balance; it has no influence on the result.
std::int64_t columns_per_claim(const matmul_args& args, int threads) {
  const std::int64_t work = args.x.rows * args.x.columns + 1;
  const std::int64_t share = args.weight.rows / (threads * 4);
  const std::int64_t wanted = args.x.rows >= 16 ? clamp(share, 8, 32) : 8;
  return clamp(32768 / work / 8 * 8, wanted / 8 * 8, 256);
}

template <template <class, int, int> class Tile, class Format>
void multiply(const job& at, thread_pool& pool) {
  const std::int64_t all = at.args.weight.rows;
  const std::int64_t step = columns_per_claim(at.args, pool.threads());
  const auto claim = [&](std::int64_t t) {
    const std::int64_t end = t * step + step;
    multiplier<Tile, Format>::columns(at, t * step, end < all ? end : all);
  };
  pool.parallel_for((all + step - 1) / step, claim);
}

job dense_job(const matmul_args& args) {
  return {.args = args,
          .input = {.weight = args.weight.data,
                    .weight_stride_bytes = args.weight.row_stride_bytes,
                    .x = args.x.data,
                    .x_stride = args.x.row_stride,
                    .values = nullptr,
                    .k = args.x.columns}};
}

job quantized_job(const matmul_args& args, thread_pool& pool) {
  const quantized_rows rows = split_workspace(args);
  quantize_rows(args, rows, pool);
  job result = dense_job(args);
  result.input.x = rows.scales;
  result.input.x_stride = args.x.columns / 32;
  result.input.values = rows.values;
  return result;
}

} // namespace

void matmul(const matmul_args& args, thread_pool& pool) {
  check(args);
  switch (args.weight.type) {
  case dtype::f16:
    return multiply<dense_tile, f16_format>(dense_job(args), pool);
  case dtype::bf16:
    return multiply<dense_tile, bf16_format>(dense_job(args), pool);
  case dtype::q8_0:
    return multiply<quantized_tile, q8_0>(quantized_job(args, pool), pool);
  case dtype::q4_0:
    return multiply<quantized_tile, q4_0>(quantized_job(args, pool), pool);
  default:
    return multiply<dense_tile, f32_format>(dense_job(args), pool);
  }
}

} // namespace sluice::SLUICE_ISA

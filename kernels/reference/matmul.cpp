// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/contracts.hpp"
#include "kernels/convert.hpp"
#include "kernels/reference/reference.hpp"
#include "kernels/reference/row_output.hpp"

#include <algorithm>
#include <vector>

namespace sluice::reference {

namespace {

constexpr std::int64_t group = integer_input::group;

double quantized_dot(const integer_input& x, std::int64_t m,
                     std::span<const float> weight) {
  double sum = 0;
  const auto columns = static_cast<std::int64_t>(weight.size());
  for (std::int64_t g = 0; g < x.groups; ++g) {
    const std::int64_t at = g * x.rows + m;
    double products = 0;
    for (std::int64_t k = g * group; k < std::min(columns, (g + 1) * group);
         ++k) {
      products += static_cast<double>(weight[static_cast<std::size_t>(k)]) *
                  x.values[at * group + k % group];
    }
    sum += products * x.scales[at];
  }
  return sum;
}

double dense_dot(std::span<const float> x, std::span<const float> weight) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    sum += static_cast<double>(weight[k]) * x[k];
  }
  return sum;
}

// Expands one weight row at a time: this path may allocate, it is the oracle.
void multiply_row(const matmul_args& args, const projection& to,
                  std::int64_t n) {
  const activations& x = args.x;
  const auto index = static_cast<std::size_t>(n);
  const auto columns = static_cast<std::size_t>(x.columns);
  std::vector<float> weight(columns);
  dequantize_row(to.weight.type,
                 to.weight.data + index * to.weight.row_stride_bytes, weight);
  const bool quantized = quantizes_input(to.weight.type);
  const integer_input integers =
      split_workspace(args.workspace.data(), x.rows, x.columns).integers;
  const double bias = to.bias.empty() ? 0 : to.bias[index];
  for (std::int64_t m = 0; m < x.rows; ++m) {
    const std::span<const float> row{x.data + m * x.row_stride, columns};
    const double dot =
        quantized ? quantized_dot(integers, m, weight) : dense_dot(row, weight);
    to.out.data[m * to.out.row_stride + n] = static_cast<float>(dot + bias);
  }
}

void quantize_rows(const matmul_args& args, thread_pool& pool) {
  const activations& x = args.x;
  write_rows(x, args.workspace, pool, [&](std::int64_t row, float* to) {
    std::copy_n(x.data + row * x.row_stride, x.columns, to);
  });
}

} // namespace

void matmul(const matmul_args& args, thread_pool& pool) {
  check(args);
  for (const projection& to : args.projections) {
    require(to.weight.layout == weight_layout::rows,
            "matmul: the reference path reads weights as rows; do not pack "
            "them");
  }
  if (!args.quantized) {
    quantize_rows(args, pool);
  }
  for (const projection& to : args.projections) {
    pool.parallel_for(to.weight.rows,
                      [&](std::int64_t n) { multiply_row(args, to, n); });
  }
}

} // namespace sluice::reference

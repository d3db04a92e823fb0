// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/contracts.hpp"
#include "kernels/convert.hpp"
#include "kernels/reference/reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace sluice::reference {

namespace {

constexpr std::int64_t group = integer_input::group;

struct quantized_group {
  float scale;
  float values[group]; // integers
};

float largest_magnitude(std::span<const float> x) {
  float found = 0;
  for (const float value : x) {
    if (!std::isfinite(value)) {
      return std::numeric_limits<float>::quiet_NaN();
    }
    found = std::fmax(found, std::fabs(value));
  }
  return found;
}

quantized_group quantize(std::span<const float> x) {
  quantized_group q{};
  const float largest = largest_magnitude(x);
  q.scale = largest / 127.0f;
  if (largest > 1e-30f) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      q.values[i] = std::nearbyint(x[i] * (127.0f / largest));
    }
  }
  return q;
}

double quantized_dot(std::span<const float> x, std::span<const float> weight) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); k += group) {
    const auto left = x.subspan(k);
    const auto part = left.first(std::min<std::size_t>(left.size(), group));
    const quantized_group q = quantize(part);
    double products = 0;
    for (std::size_t i = 0; i < part.size(); ++i) {
      products += static_cast<double>(weight[k + i]) * q.values[i];
    }
    sum += products * q.scale;
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
void multiply_row(const activations& x, const projection& to, std::int64_t n) {
  const auto index = static_cast<std::size_t>(n);
  const auto columns = static_cast<std::size_t>(x.columns);
  std::vector<float> weight(columns);
  dequantize_row(to.weight.type,
                 to.weight.data + index * to.weight.row_stride_bytes, weight);
  const auto dot = quantizes_input(to.weight.type) ? quantized_dot : dense_dot;
  const double bias = to.bias.empty() ? 0 : to.bias[index];
  for (std::int64_t m = 0; m < x.rows; ++m) {
    const std::span<const float> row{x.data + m * x.row_stride, columns};
    to.out.data[m * to.out.row_stride + n] =
        static_cast<float>(dot(row, weight) + bias);
  }
}

} // namespace

void matmul(const matmul_args& args, thread_pool& pool) {
  check(args);
  for (const projection& to : args.projections) {
    require(to.weight.layout == weight_layout::rows,
            "matmul: the reference path reads weights as rows; do not pack "
            "them");
  }
  for (const projection& to : args.projections) {
    pool.parallel_for(to.weight.rows,
                      [&](std::int64_t n) { multiply_row(args.x, to, n); });
  }
}

} // namespace sluice::reference

// SPDX-License-Identifier: Apache-2.0
#include "kernels/contracts.hpp"
#include "kernels/convert.hpp"
#include "kernels/reference/reference.hpp"

#include <cmath>
#include <limits>

namespace sluice::reference {

namespace {

constexpr std::int64_t block = 32;

struct quantized_block {
  float scale;
  float values[block]; // integers
};

float largest_magnitude(const float* x) {
  float found = 0;
  for (int i = 0; i < block; ++i) {
    if (!std::isfinite(x[i])) {
      return std::numeric_limits<float>::quiet_NaN();
    }
    found = std::fmax(found, std::fabs(x[i]));
  }
  return found;
}

quantized_block quantize(const float* x) {
  quantized_block q{};
  const float largest = largest_magnitude(x);
  q.scale = largest / 127.0f;
  if (largest > 1e-30f) {
    for (int i = 0; i < block; ++i) {
      q.values[i] = std::nearbyint(x[i] * (127.0f / largest));
    }
  }
  return q;
}

double quantized_dot(const float* x, const std::byte* weight,
                     const matmul_args& args) {
  double sum = 0;
  for (std::int64_t k = 0; k < args.x.columns; k += block) {
    float w[block];
    dequantize_row(args.weight.type, weight, w);
    weight += block_bytes(args.weight.type);
    const quantized_block q = quantize(x + k);
    for (int i = 0; i < block; ++i) {
      sum += static_cast<double>(w[i]) * q.values[i] * q.scale;
    }
  }
  return sum;
}

double dense_dot(const float* x, const std::byte* weight,
                 const matmul_args& args) {
  double sum = 0;
  for (std::int64_t k = 0; k < args.x.columns; ++k) {
    float w = 0;
    dequantize_row(args.weight.type, weight, {&w, 1});
    weight += block_bytes(args.weight.type);
    sum += static_cast<double>(w) * x[k];
  }
  return sum;
}

} // namespace

void matmul(const matmul_args& args, thread_pool& pool) {
  check(args);
  const auto dot =
      quantizes_input(args.weight.type) ? quantized_dot : dense_dot;
  pool.parallel_for(args.weight.rows, [&](std::int64_t n) {
    const auto index = static_cast<std::size_t>(n);
    const std::byte* weight =
        args.weight.data + index * args.weight.row_stride_bytes;
    const double bias = args.bias.empty() ? 0 : args.bias[index];
    for (std::int64_t m = 0; m < args.x.rows; ++m) {
      const float* x = args.x.data + m * args.x.row_stride;
      args.out.data[m * args.out.row_stride + n] =
          static_cast<float>(dot(x, weight, args) + bias);
    }
  });
}

} // namespace sluice::reference

// SPDX-License-Identifier: Apache-2.0
#include "kernels/contracts.hpp"
#include "kernels/reference/reference.hpp"
#include "kernels/reference/row_output.hpp"

#include <cmath>

namespace sluice::reference {

namespace {

void norm_row(const float* x, const rms_norm_args& args, float* out) {
  const std::int64_t n = args.x.columns;
  double squares = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    squares += static_cast<double>(x[i]) * x[i];
  }
  const double mean = squares / static_cast<double>(n);
  const double inverse = 1 / std::sqrt(mean + args.epsilon);
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<float>(x[i] * inverse *
                                args.weight[static_cast<std::size_t>(i)]);
  }
}

} // namespace

void rms_norm(const rms_norm_args& args, thread_pool& pool) {
  check(args);
  write_rows(args.out, args.quantized, pool, [&](std::int64_t row, float* to) {
    norm_row(args.x.data + row * args.x.row_stride, args, to);
  });
}

void add_rms_norm(const add_rms_norm_args& args, thread_pool& pool) {
  check(args);
  const rms_norm_args norm{args.residual, args.weight, args.epsilon, args.out};
  const auto add_and_norm = [&](std::int64_t row, float* to) {
    const float* x = args.x.data + row * args.x.row_stride;
    float* residual = args.residual.data + row * args.residual.row_stride;
    for (std::int64_t i = 0; i < args.x.columns; ++i) {
      residual[i] += x[i];
    }
    norm_row(residual, norm, to);
  };
  write_rows(args.out, args.quantized, pool, add_and_norm);
}

} // namespace sluice::reference

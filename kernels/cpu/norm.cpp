// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/simd.hpp"

namespace sluice::SLUICE_ISA {

namespace {

float sum_of_squares(const float* x, std::int64_t n) {
  vec squares = set(0);
  for_lanes(
      n,
      [&](std::int64_t i) {
        const vec v = load(x + i);
        squares = fma(v, v, squares);
      },
      [&](std::int64_t i, int count) {
        const vec v = load_some(x + i, count);
        squares = fma(v, v, squares);
      });
  return sum(squares);
}

void norm_row(const float* x, const rms_norm_args& args, float* out) {
  const std::int64_t n = args.x.columns;
  const float* weight = args.weight.data();
  const float mean = sum_of_squares(x, n) / static_cast<float>(n);
  const float inverse = 1.0f / __builtin_sqrtf(mean + args.epsilon);
  for_lanes(
      n,
      [&](std::int64_t i) {
        store(out + i, mul(mul(load(x + i), set(inverse)), load(weight + i)));
      },
      [&](std::int64_t i, int count) {
        const vec scaled = mul(load_some(x + i, count), set(inverse));
        store_some(out + i, mul(scaled, load_some(weight + i, count)), count);
      });
}

void add_row(const float* x, float* out, std::int64_t n) {
  for_lanes(
      n,
      [&](std::int64_t i) { store(out + i, add(load(out + i), load(x + i))); },
      [&](std::int64_t i, int count) {
        const vec total =
            add(load_some(out + i, count), load_some(x + i, count));
        store_some(out + i, total, count);
      });
}

} // namespace

void rms_norm(const rms_norm_args& args, thread_pool& pool) {
  check(args);
  for_rows(pool, args.x.rows, args.x.columns, [&](std::int64_t row) {
    norm_row(args.x.data + row * args.x.row_stride, args,
             args.out.data + row * args.out.row_stride);
  });
}

void add_rms_norm(const add_rms_norm_args& args, thread_pool& pool) {
  check(args);
  const rms_norm_args norm{args.residual, args.weight, args.epsilon, args.out};
  for_rows(pool, args.x.rows, args.x.columns, [&](std::int64_t row) {
    float* residual = args.residual.data + row * args.residual.row_stride;
    add_row(args.x.data + row * args.x.row_stride, residual, args.x.columns);
    norm_row(residual, norm, args.out.data + row * args.out.row_stride);
  });
}

} // namespace sluice::SLUICE_ISA

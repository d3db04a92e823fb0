// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/row_output.hpp"
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

// to = x * inverse * weight.
void scale_row(const float* x, float inverse, const float* weight, float* to,
               std::int64_t n) {
  for_lanes(
      n,
      [&](std::int64_t i) {
        store(to + i, mul(mul(load(x + i), set(inverse)), load(weight + i)));
      },
      [&](std::int64_t i, int count) {
        const vec scaled = mul(load_some(x + i, count), set(inverse));
        store_some(to + i, mul(scaled, load_some(weight + i, count)), count);
      });
}

void norm_row(const rms_norm_args& args, std::int64_t row,
              const row_output& out) {
  const std::int64_t n = args.x.columns;
  const float* x = args.x.data + row * args.x.row_stride;
  const float mean = sum_of_squares(x, n) / static_cast<float>(n);
  const float inverse = 1.0f / __builtin_sqrtf(mean + args.epsilon);
  const float* weight = args.weight.data();
  out.write(row, [&](std::int64_t first, std::int64_t count, float* to) {
    scale_row(x + first, inverse, weight + first, to, count);
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
  const row_output out(args.out, args.quantized);
  for_rows(pool, args.x.rows, args.x.columns,
           [&](std::int64_t row) { norm_row(args, row, out); });
}

void add_rms_norm(const add_rms_norm_args& args, thread_pool& pool) {
  check(args);
  const rms_norm_args norm{args.residual, args.weight, args.epsilon, args.out,
                           args.quantized};
  const row_output out(args.out, args.quantized);
  for_rows(pool, args.x.rows, args.x.columns, [&](std::int64_t row) {
    float* residual = args.residual.data + row * args.residual.row_stride;
    add_row(args.x.data + row * args.x.row_stride, residual, args.x.columns);
    norm_row(norm, row, out);
  });
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/panel_dense.hpp"
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/panel_dense_kernel.hpp"
#include "kernels/cpu/panels.hpp"

// f32, f16 and bf16 in panels, widened and multiplied in f32; bf16 in pairs
// where the CPU has products of them.

namespace sluice::SLUICE_ISA {

namespace {

struct widened_lines {
  static constexpr int x_bytes = 4;

  SLUICE_INLINE static vec input(const std::byte* x, int k) {
    return set(reinterpret_cast<const float*>(x)[k]);
  }
  SLUICE_INLINE static vec multiply(vec sum, vec weight, vec in) {
    return fma(in, weight, sum);
  }
};

template <class Storage>
struct single_lines : widened_lines {
  static constexpr int line_bytes = Storage::bytes * panel_rows;
  static constexpr int line_columns = 1;
  static constexpr int parts = 1;

  SLUICE_INLINE static vec weight(const std::byte* line, int) {
    return Storage::load(line);
  }
  SLUICE_INLINE static vec input(const std::byte* x, int line, int) {
    return widened_lines::input(x, line);
  }
};

struct bf16_lines : widened_lines {
  static constexpr int line_bytes = 4 * panel_rows;
  static constexpr int line_columns = 2;
  static constexpr int parts = 2;

  SLUICE_INLINE static vec weight(const std::byte* line, int part) {
    return part == 0 ? load_bf16_even(line) : load_bf16_odd(line);
  }
  SLUICE_INLINE static vec input(const std::byte* x, int line, int part) {
    return widened_lines::input(x, 2 * line + part);
  }
};

// One row of x is its own tile, if it may be read in whole chunks.
bool is_tile(const activations& x) {
  return x.rows == 1 && x.columns % lanes == 0;
}

tiled_rows shape_of(const activations& x) {
  return {x.rows, x.columns, sizeof(float)};
}

void widen(const matmul_input& input, thread_pool& pool) {
  if (is_tile(input.x)) {
    return;
  }
  const tiled_rows shape = shape_of(input.x);
  float* const to = input.forms.f32;
  for_rows(pool, shape.rows, shape.columns, [&](std::int64_t m) {
    const float* from = input.x.data + m * input.x.row_stride;
    const tiled_row row = shape.row(m);
    for_lanes(
        shape.columns,
        [&](std::int64_t k) { store(row.at(to, k), load(from + k)); },
        [&](std::int64_t k, int n) {
          store(row.at(to, k), load_some(from + k, n));
        });
  });
}

template <class Format>
void multiply(const projection& to, const matmul_input& input,
              std::int64_t first, std::int64_t end) {
  const float* x = is_tile(input.x) ? input.x.data : input.forms.f32;
  dense_kernel<Format>{to, reinterpret_cast<const std::byte*>(x),
                       shape_of(input.x)}
      .run(first, end);
}

void prepare(dtype type, const matmul_input& input, thread_pool& pool) {
  if (type == dtype::bf16 && has_bf16_products()) {
    return round_to_bf16(input, pool);
  }
  widen(input, pool);
}

projection_kernel kernel(dtype type) {
  switch (type) {
  case dtype::f32:
    return multiply<single_lines<f32_format>>;
  case dtype::f16:
    return multiply<single_lines<f16_format>>;
  default:
    return has_bf16_products() ? multiply_bf16_pairs : multiply<bf16_lines>;
  }
}

} // namespace

const panel_family dense_panels{.panel_bytes = dense_panel_bytes,
                                .pack_panel = pack_dense_panel,
                                .unpack_row = unpack_dense_row,
                                .kernel = kernel,
                                .prepare = prepare};

} // namespace sluice::SLUICE_ISA

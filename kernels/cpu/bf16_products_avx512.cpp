// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/bf16_rounding.hpp"
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/panel_dense.hpp"
#include "kernels/cpu/panel_dense_kernel.hpp"

// The only source that needs AVX512_BF16; it is called where the CPU has it.

namespace sluice::SLUICE_ISA {

namespace {

struct bf16_pairs {
  static constexpr int line_bytes = 4 * panel_rows;
  static constexpr int line_columns = 2;
  static constexpr int x_bytes = 2;
  static constexpr int parts = 1;

  SLUICE_INLINE static __m512bh weight(const std::byte* line, int) {
    return reinterpret_cast<__m512bh>(_mm512_load_si512(line));
  }
  SLUICE_INLINE static __m512bh input(const std::byte* x, int line, int) {
    std::int32_t pair;
    __builtin_memcpy(&pair, x + 4 * line, sizeof pair);
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
  }
  SLUICE_INLINE static vec multiply(vec sum, __m512bh weight, __m512bh in) {
    return _mm512_dpbf16_ps(sum, weight, in);
  }
};

tiled_rows shape_of(const activations& x) {
  return {x.rows, x.columns, sizeof(std::uint16_t)};
}

} // namespace

bool has_bf16_products() {
  return __builtin_cpu_supports("avx512bf16");
}

void round_to_bf16(const matmul_input& input, thread_pool& pool) {
  const tiled_rows shape = shape_of(input.x);
  std::uint16_t* const to = input.forms.bf16;
  for_rows(pool, shape.rows, shape.columns, [&](std::int64_t m) {
    const float* from = input.x.data + m * input.x.row_stride;
    const tiled_row row = shape.row(m);
    for (std::int64_t k = 0; k < shape.columns; k += 32) {
      round_chunk(from + k, shape.columns - k,
                  reinterpret_cast<std::byte*>(row.at(to, k)));
    }
  });
}

void multiply_bf16_pairs(const projection& to, const matmul_input& input,
                         std::int64_t first, std::int64_t end) {
  dense_kernel<bf16_pairs>{to,
                           reinterpret_cast<const std::byte*>(input.forms.bf16),
                           shape_of(input.x)}
      .run(first, end);
}

} // namespace sluice::SLUICE_ISA

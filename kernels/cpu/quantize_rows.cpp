// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/simd.hpp"

namespace sluice::SLUICE_ISA {

namespace {

constexpr int block = 32;

// Quantises one block and returns its scale; NaN if an element is not finite.
SLUICE_INLINE float quantize_block(const float* x, std::int8_t* values) {
  vec top = set(0);
  vec poison = set(0); // x - x: 0 for a finite x, else NaN
  for (int i = 0; i < block; i += lanes) {
    const vec v = load(x + i);
    top = max(top, abs(v));
    poison = add(poison, sub(v, v));
  }
  const float magnitude = largest(top);
  const float inverse = magnitude > 1e-30f ? 127.0f / magnitude : 0.0f;
  for (int i = 0; i < block; i += lanes) {
    store_i8(values + i, mul(load(x + i), set(inverse)));
  }
  return magnitude / 127.0f + sum(poison);
}

} // namespace

void quantize_rows(const matmul_args& args, const quantized_rows& to,
                   thread_pool& pool) {
  const std::int64_t k = args.x.columns;
  for_rows(pool, args.x.rows, k, [&](std::int64_t row) {
    const float* x = args.x.data + row * args.x.row_stride;
    float* scales = to.scales + row * (k / block);
    for (std::int64_t i = 0; i < k; i += block) {
      scales[i / block] = quantize_block(x + i, to.values + row * k + i);
    }
  });
}

} // namespace sluice::SLUICE_ISA

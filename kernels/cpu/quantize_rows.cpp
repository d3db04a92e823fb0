// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/projection.hpp"
#include "kernels/cpu/row_output.hpp"
#include "kernels/cpu/simd.hpp"

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t group = integer_input::group;

struct magnitude {
  float largest;
  float poison; // 0, or NaN if an element is not finite
};

SLUICE_INLINE magnitude measure(const float* x, std::int64_t count) {
  vec top = set(0);
  vec poison = set(0); // x - x: 0 for a finite x, else NaN
  const auto see = [&](vec v) {
    top = max(top, abs(v));
    poison = add(poison, sub(v, v));
  };
  for_lanes(
      count, [&](std::int64_t i) { see(load(x + i)); },
      [&](std::int64_t i, int n) { see(load_some(x + i, n)); });
  return {largest(top), sum(poison)};
}

SLUICE_INLINE void round_to_i8(const float* x, std::int64_t count,
                               float inverse, std::int8_t* values) {
  for_lanes(
      count,
      [&](std::int64_t i) {
        store_i8(values + i, mul(load(x + i), set(inverse)));
      },
      [&](std::int64_t i, int n) {
        store_i8(values + i, mul(load_some(x + i, n), set(inverse)));
      });
}

// Minus the sums of the group at `at`.
SLUICE_INLINE void sum_group(const integer_input& to, std::int64_t at) {
  std::int32_t* sums16 = to.sums16 + at * 16;
  std::int32_t* sums32 = to.sums32 + at * 8;
  std::int16_t* short32 = to.short32 + at * 8;
  negative_sums_of_16(to.values + at * group, sums16);
  std::int32_t total = 0;
  for (int i = 0; i < 8; ++i) {
    sums32[i] = sums16[2 * i] + sums16[2 * i + 1];
    short32[i] = static_cast<std::int16_t>(sums32[i]);
    total += sums32[i];
  }
  to.sums[at] = total;
}

} // namespace

void quantize_group(const float* x, std::int64_t count, const integer_input& to,
                    std::int64_t at) {
  std::int8_t* values = to.values + at * group;
  if (count < group) {
    __builtin_memset(values, 0, group);
  }
  const auto [largest, poison] = measure(x, count);
  const float inverse = largest > 1e-30f ? 127.0f / largest : 0.0f;
  round_to_i8(x, count, inverse, values);
  to.scales[at] = largest / 127.0f + poison;
  sum_group(to, at);
}

void quantize_rows(const matmul_input& input, thread_pool& pool) {
  const activations& x = input.x;
  const integer_input& to = input.forms.integers;
  for_rows(pool, x.rows, x.columns, [&](std::int64_t row) {
    const float* from = x.data + row * x.row_stride;
    for (std::int64_t g = 0; g < to.groups; ++g) {
      const std::int64_t left = x.columns - g * group;
      quantize_group(from + g * group, left < group ? left : group, to,
                     g * x.rows + row);
    }
  });
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/row_output.hpp"
#include "kernels/cpu/simd.hpp"

namespace sluice::SLUICE_ISA {

namespace {

SLUICE_INLINE vec gated(vec gate, vec up) {
  const vec denominator = add(set(1), exp(sub(set(0), gate)));
  return mul(div(gate, denominator), up);
}

void gate_row(const float* gate, const float* up, float* out, std::int64_t n) {
  for_lanes(
      n,
      [&](std::int64_t i) {
        store(out + i, gated(load(gate + i), load(up + i)));
      },
      [&](std::int64_t i, int count) {
        const vec value =
            gated(load_some(gate + i, count), load_some(up + i, count));
        store_some(out + i, value, count);
      });
}

} // namespace

void swiglu(const swiglu_args& args, thread_pool& pool) {
  check(args);
  const row_output out(args.out, args.quantized);
  for_rows(pool, args.out.rows, args.out.columns, [&](std::int64_t row) {
    const float* gate = args.gate.data + row * args.gate.row_stride;
    const float* up = args.up.data + row * args.up.row_stride;
    out.write(row, [&](std::int64_t first, std::int64_t count, float* to) {
      gate_row(gate + first, up + first, to, count);
    });
  });
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#include "kernels/contracts.hpp"
#include "kernels/reference/reference.hpp"
#include "kernels/reference/row_output.hpp"

#include <cmath>

namespace sluice::reference {

void swiglu(const swiglu_args& args, thread_pool& pool) {
  check(args);
  const auto gate_row = [&](std::int64_t row, float* out) {
    const float* gate = args.gate.data + row * args.gate.row_stride;
    const float* up = args.up.data + row * args.up.row_stride;
    for (std::int64_t i = 0; i < args.out.columns; ++i) {
      const double x = gate[i];
      out[i] = static_cast<float>(x / (1 + std::exp(-x)) * up[i]);
    }
  };
  write_rows(args.out, args.quantized, pool, gate_row);
}

} // namespace sluice::reference

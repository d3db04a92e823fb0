// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/panel_simd.hpp"
#include "kernels/cpu/panels.hpp"

// One op for all weights: x is brought into the forms that the projections
// want, then the threads claim blocks of weight rows of all of them.

namespace sluice::SLUICE_ISA {

namespace {

std::int64_t clamp(std::int64_t value, std::int64_t low, std::int64_t high) {
  return value < low ? low : (value > high ? high : value);
}

std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

projection_kernel kernel_for(const panel_families& families,
                             const matrix_view& weight) {
  return weight.layout == weight_layout::rows
             ? rows_kernel(weight.type)
             : families.of(weight.type).kernel(weight.type);
}

// Weight rows that one thread takes at a time: enough work to pay for the
// claim, few enough to balance; it has no influence on the result. A few rows
// of x leave the memory to wait for: long runs keep its streams going.
std::int64_t rows_per_claim(const matmul_args& args, const projection& to,
                            int threads) {
  constexpr std::int64_t unit = 2 * (panel_rows > 4 ? panel_rows : 4);
  const std::int64_t share = to.weight.rows / (threads * 4);
  const std::int64_t work = args.x.rows * args.x.columns + 1;
  const std::int64_t least = clamp(32768 / work, unit, 256);
  const std::int64_t most = args.x.rows < 16 ? 256 : 2 * unit;
  return round_up(clamp(share, least, clamp(most, least, 256)), unit);
}

std::int64_t claims_of(const matmul_args& args, const projection& to,
                       int threads) {
  const std::int64_t rows = rows_per_claim(args, to, threads);
  return (to.weight.rows + rows - 1) / rows;
}

void require_own_panels(const matrix_view& weight) {
  require(
      weight.layout == weight_layout::rows ||
          (panel_bytes(weight.type, weight.columns) > 0 &&
           weight.row_stride_bytes == panel_bytes(weight.type, weight.columns)),
      "matmul: these panels are not of this path; pack them with its table");
}

// Whether two weights want x in the same form.
bool alike(const matrix_view& a, const matrix_view& b) {
  return quantizes_input(a.type) ? quantizes_input(b.type)
                                 : a.type == b.type && a.layout == b.layout;
}

// Writes each form of x once, for the first projection that wants it.
void prepare(const panel_families& families, const matmul_args& args,
             const matmul_input& input, thread_pool& pool) {
  const projection* first = args.projections.data();
  for (const projection& to : args.projections) {
    const projection* same = first;
    while (!alike(same->weight, to.weight)) {
      ++same;
    }
    const bool read_as_it_is = !quantizes_input(to.weight.type) &&
                               to.weight.layout == weight_layout::rows;
    if (same == &to && !read_as_it_is) {
      families.of(to.weight.type).prepare(to.weight.type, input, pool);
    }
  }
}

} // namespace

void multiply_with(const panel_families& families, const matmul_args& args,
                   thread_pool& pool) {
  check(args);
  std::int64_t claims = 0;
  for (const projection& to : args.projections) {
    require_own_panels(to.weight);
    claims += claims_of(args, to, pool.threads());
  }
  const matmul_input input{
      args.x,
      split_workspace(args.workspace.data(), args.x.rows, args.x.columns)};
  if (!args.quantized) {
    prepare(families, args, input, pool);
  }
  pool.parallel_for(claims, [&](std::int64_t claim) {
    for (const projection& to : args.projections) {
      const std::int64_t own = claims_of(args, to, pool.threads());
      if (claim < own) {
        const std::int64_t step = rows_per_claim(args, to, pool.threads());
        const std::int64_t end = claim * step + step;
        return kernel_for(families, to.weight)(
            to, input, claim * step,
            end < to.weight.rows ? end : to.weight.rows);
      }
      claim -= own;
    }
  });
}

void matmul(const matmul_args& args, thread_pool& pool) {
  multiply_with({integer_panels, dense_panels}, args, pool);
}

} // namespace sluice::SLUICE_ISA

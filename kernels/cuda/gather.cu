// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/row_checks.hpp"

#include <algorithm>

// Bound by memory; a block a row, 16 bytes a thread and turn.

namespace sluice::cuda {
namespace {

constexpr int most_threads = 256;

SLUICE_KERNEL(most_threads)
gather_kernel(gather_args args) {
  const std::int64_t to = block_x();
  let_next_kernel_start();
  wait_for_previous_kernel();
  const std::int64_t from = args.rows[to];
  if (from < 0 || from >= args.x.rows)
    return;
  const auto* x =
      reinterpret_cast<const floats4*>(args.x.data + from * args.x.row_stride);
  auto* out =
      reinterpret_cast<floats4*>(args.out.data + to * args.out.row_stride);
  for (std::int64_t i = thread(); i < args.out.columns / 4; i += threads())
    out[i] = x[i];
}

void check(const gather_args& args) {
  require(is_usable(args.x) && is_usable(args.out) &&
              args.x.columns == args.out.columns,
          "gather_rows: rows of f32 of one width, 16-byte aligned; check the "
          "shapes");
  require(args.rows || args.out.rows == 0,
          "gather_rows: no list of rows; give one");
}

} // namespace

void gather_rows(const gather_args& args, stream& in) {
  check(args);
  if (args.out.rows == 0)
    return;
  const auto vectors = static_cast<std::uint32_t>(args.out.columns / 4);
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(args.out.rows),
          .threads =
              std::min<std::uint32_t>((vectors + 31) / 32 * 32, most_threads),
          .early = true},
         gather_kernel, args);
}

} // namespace sluice::cuda

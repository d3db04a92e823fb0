// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/operand_store.hpp"
#include "kernels/cuda/row_checks.hpp"

#include <algorithm>

// Bound by memory: 8 bytes in, 1 or 2 out an element. For bf16 and f16 every
// group of four elements stands alone; for i8 and f8_e4m3 a block takes a row,
// whose products it keeps in shared memory until the scale is known.

namespace sluice::cuda {
namespace {

constexpr int group_threads = 256;
constexpr int row_threads = 1024;
constexpr std::int64_t kept_columns = 16384; // what is past it is made again

struct gate_row {
  const floats4* gate;
  const floats4* up;

  SLUICE_DEVICE gate_row(const gate_args& args, std::int64_t row)
      : gate{reinterpret_cast<const floats4*>(args.gate.data +
                                              row * args.gate.row_stride)},
        up{reinterpret_cast<const floats4*>(args.up.data +
                                            row * args.up.row_stride)} {}

  static SLUICE_DEVICE float gated(float x, float by) {
    return x / (1.0f + exp_fast(-x)) * by;
  }

  SLUICE_DEVICE floats4 product(std::int64_t i) const {
    const floats4 g = gate[i];
    const floats4 u = up[i];
    return {gated(g.x, u.x), gated(g.y, u.y), gated(g.z, u.z), gated(g.w, u.w)};
  }
};

template <dtype Type>
SLUICE_KERNEL(group_threads)
swiglu_kernel(gate_args args) {
  const std::int64_t row = block_x();
  const auto i = std::int64_t{block_y()} * threads() + thread();
  let_next_kernel_start();
  wait_for_previous_kernel();
  if (i >= args.out.columns / 4)
    return;
  store_rounded<Type>(operand_row<Type>(args.out, row), i,
                      gate_row{args, row}.product(i));
}

template <dtype Type>
SLUICE_KERNEL(row_threads)
swiglu_scaled_kernel(gate_args args) {
  auto* magnitudes = shared_memory<std::uint32_t>();
  auto* kept = reinterpret_cast<floats4*>(magnitudes + reduce_room);
  const std::int64_t groups = args.out.columns / 4;
  const std::int64_t groups_kept = min(args.out.columns, kept_columns) / 4;
  const gate_row row{args, block_x()};
  let_next_kernel_start();
  wait_for_previous_kernel();
  std::uint32_t largest = 0;
  for (std::int64_t i = thread(); i < groups; i += threads()) {
    const floats4 v = row.product(i);
    if (i < groups_kept)
      kept[i] = v;
    largest = max(largest, magnitude(v));
  }
  const byte_scale<Type> to{reduce_block(largest, magnitudes, largest_of{})};
  auto* out = operand_row<Type>(args.out, block_x());
  for (std::int64_t i = thread(); i < groups; i += threads())
    to.store(out, i, i < groups_kept ? kept[i] : row.product(i));
  if (thread() == 0)
    args.out.scales[block_x()] = to.scale;
}

void check(const gate_args& args) {
  require(is_usable(args.gate) && is_usable(args.up) && is_usable(args.out),
          "swiglu: gate and up must be f32 rows and out an operand, 16-byte "
          "aligned, of a multiple of 16 columns; check them");
  require(have_same_shape(args.gate, args.up) &&
              args.gate.rows == args.out.rows &&
              args.gate.columns == args.out.columns,
          "swiglu: gate, up and out have different shapes; make them equal");
}

template <dtype Type>
void start_scaled(const gate_args& args, stream& in) {
  const auto groups = static_cast<std::uint32_t>(args.out.columns / 4);
  const auto kept = std::min(args.out.columns, kept_columns);
  launch(
      in,
      {.grid_x = static_cast<std::uint32_t>(args.out.rows),
       .threads = std::min<std::uint32_t>((groups + 31) / 32 * 32, row_threads),
       .shared_bytes =
           (reduce_room + static_cast<std::size_t>(kept)) * sizeof(float),
       .early = true},
      swiglu_scaled_kernel<Type>, args);
}

} // namespace

void swiglu(const gate_args& args, stream& in) {
  check(args);
  if (args.out.rows == 0)
    return;
  if (args.out.type == dtype::i8)
    return start_scaled<dtype::i8>(args, in);
  if (args.out.type == dtype::f8_e4m3)
    return start_scaled<dtype::f8_e4m3>(args, in);
  const auto groups = static_cast<std::uint32_t>(args.out.columns / 4);
  const launch_shape shape{.grid_x = static_cast<std::uint32_t>(args.out.rows),
                           .grid_y =
                               (groups + group_threads - 1) / group_threads,
                           .threads = group_threads,
                           .early = true};
  if (args.out.type == dtype::bf16)
    launch(in, shape, swiglu_kernel<dtype::bf16>, args);
  else
    launch(in, shape, swiglu_kernel<dtype::f16>, args);
}

} // namespace sluice::cuda

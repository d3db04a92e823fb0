// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/row_checks.hpp"

#include <algorithm>

// Bound by memory: 2 bytes in and 4 out an element. A block a row, 8 elements
// (16 bytes in, 32 out) a thread and turn.

namespace sluice::cuda {
namespace {

constexpr int most_threads = 256;

template <dtype Type>
SLUICE_DEVICE floats2 widen(std::uint32_t pair) {
  const auto low = static_cast<std::uint16_t>(pair);
  const auto high = static_cast<std::uint16_t>(pair >> 16);
  if constexpr (Type == dtype::bf16)
    return {f32_of_bf16(low), f32_of_bf16(high)};
  else
    return {f32_of_f16(low), f32_of_f16(high)};
}

template <dtype Type>
SLUICE_KERNEL(most_threads)
embed_kernel(embed_args args) {
  const std::int64_t row = block_x();
  let_next_kernel_start();
  wait_for_previous_kernel();
  const auto id = args.ids[row];
  if (id < 0 || id >= args.vocabulary)
    return;
  const auto columns = args.out.columns;
  const auto* from =
      reinterpret_cast<const words4*>(args.table + id * columns * 2);
  auto* to =
      reinterpret_cast<floats4*>(args.out.data + row * args.out.row_stride);
  for (std::int64_t i = thread(); i < columns / 8; i += threads()) {
    const words4 v = from[i];
    const auto a = widen<Type>(v.x);
    const auto b = widen<Type>(v.y);
    const auto c = widen<Type>(v.z);
    const auto d = widen<Type>(v.w);
    to[2 * i] = {a.x, a.y, b.x, b.y};
    to[2 * i + 1] = {c.x, c.y, d.x, d.y};
  }
}

void check(const embed_args& args) {
  require(args.type == dtype::bf16 || args.type == dtype::f16,
          "embed: the table must be bf16 or f16; widen it at load");
  require(is_usable(args.out) && args.out.columns % 8 == 0,
          "embed: rows of f32, 16-byte aligned, of a multiple of 8 columns; "
          "pad them");
  require(args.table && is_aligned(args.table) && args.vocabulary > 0 &&
              (args.ids || args.out.rows == 0),
          "embed: no table or no ids; give both");
}

} // namespace

void embed(const embed_args& args, stream& in) {
  check(args);
  if (args.out.rows == 0)
    return;
  const auto vectors = static_cast<std::uint32_t>(args.out.columns / 8);
  const launch_shape shape{.grid_x = static_cast<std::uint32_t>(args.out.rows),
                           .threads = std::min<std::uint32_t>(
                               (vectors + 31) / 32 * 32, most_threads),
                           .early = true};
  if (args.type == dtype::bf16)
    launch(in, shape, embed_kernel<dtype::bf16>, args);
  else
    launch(in, shape, embed_kernel<dtype::f16>, args);
}

} // namespace sluice::cuda

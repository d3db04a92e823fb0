// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/operand_store.hpp"
#include "kernels/cuda/row_checks.hpp"

#include <algorithm>

// A block a row. Bound by the latency of one load and two reductions for few
// rows, by memory for many: the row is read once and kept in shared memory,
// each thread reading back only what it wrote itself.

namespace sluice::cuda {
namespace {

constexpr int most_threads = 1024;
constexpr std::int64_t kept_columns = 16384; // 64 KiB; what is past it is read
                                             // again

struct norm_memory {
  float sums[reduce_room];
  std::uint32_t magnitudes[reduce_room];
};

// The part of a row that a thread works on: every threads()-th group of four.
struct norm_row {
  floats4* x;
  const floats4* weight;
  floats4* kept;
  std::int64_t groups;
  std::int64_t groups_kept;

  SLUICE_DEVICE norm_row(const norm_args& args, std::int64_t row,
                         norm_memory* memory)
      : x{reinterpret_cast<floats4*>(args.x.data + row * args.x.row_stride)},
        weight{reinterpret_cast<const floats4*>(args.weight)},
        kept{reinterpret_cast<floats4*>(memory + 1)}, groups{args.x.columns /
                                                             4},
        groups_kept{min(args.x.columns, kept_columns) / 4} {}

  SLUICE_DEVICE floats4 scaled(std::int64_t i, float inverse) const {
    const floats4 v = i < groups_kept ? kept[i] : x[i];
    const floats4 w = weight[i];
    return {v.x * inverse * w.x, v.y * inverse * w.y, v.z * inverse * w.z,
            v.w * inverse * w.w};
  }
};

// Adds the update, keeps the row and gives the thread's sum of squares.
template <bool Updates>
SLUICE_DEVICE float read_row(const norm_row& row, const norm_args& args) {
  const auto* update = reinterpret_cast<const floats4*>(
      args.update.data + block_x() * args.update.row_stride);
  float squares = 0;
  for (std::int64_t i = thread(); i < row.groups; i += threads()) {
    floats4 v = row.x[i];
    if constexpr (Updates) {
      const floats4 u = update[i];
      v = {v.x + u.x, v.y + u.y, v.z + u.z, v.w + u.w};
      row.x[i] = v;
    }
    if (i < row.groups_kept)
      row.kept[i] = v;
    squares = fma(v.x, v.x, squares);
    squares = fma(v.y, v.y, squares);
    squares = fma(v.z, v.z, squares);
    squares = fma(v.w, v.w, squares);
  }
  return squares;
}

template <dtype Type, bool Updates>
SLUICE_KERNEL(most_threads)
norm_kernel(norm_args args) {
  auto* memory = shared_memory<norm_memory>();
  const norm_row row{args, block_x(), memory};
  let_next_kernel_start();
  wait_for_previous_kernel();
  const float squares =
      reduce_block(read_row<Updates>(row, args), memory->sums, sum_of{});
  const float mean = squares / static_cast<float>(args.x.columns);
  const float inverse = inverse_sqrt(mean + args.epsilon);
  auto* out = operand_row<Type>(args.out, block_x());
  if constexpr (is_scaled(Type)) {
    std::uint32_t largest = 0;
    for (std::int64_t i = thread(); i < row.groups; i += threads())
      largest = max(largest, magnitude(row.scaled(i, inverse)));
    const byte_scale<Type> to{
        reduce_block(largest, memory->magnitudes, largest_of{})};
    for (std::int64_t i = thread(); i < row.groups; i += threads())
      to.store(out, i, row.scaled(i, inverse));
    if (thread() == 0)
      args.out.scales[block_x()] = to.scale;
  } else {
    for (std::int64_t i = thread(); i < row.groups; i += threads())
      store_rounded<Type>(out, i, row.scaled(i, inverse));
  }
}

void check(const norm_args& args) {
  require(
      is_usable(args.x) && is_usable(args.out),
      "rms_norm: x and out must be 16-byte aligned, x f32, out bf16, f16 "
      "or bytes with scales, of a multiple of 16 columns; check the operand");
  require(args.x.rows == args.out.rows && args.x.columns == args.out.columns,
          "rms_norm: x and out have different shapes; make them equal");
  require(!args.update.data ||
              (is_usable(args.update) && have_same_shape(args.x, args.update)),
          "rms_norm: update must be f32 rows of the shape of x, 16-byte "
          "aligned");
  require(args.weight && is_aligned(args.weight),
          "rms_norm: weight must be 16-byte aligned");
  require(args.epsilon >= 0 && args.epsilon <= 1,
          "rms_norm: epsilon must be 0 to 1; see the model's description");
}

template <dtype Type>
void start(const norm_args& args, const launch_shape& shape, stream& in) {
  if (args.update.data)
    launch(in, shape, norm_kernel<Type, true>, args);
  else
    launch(in, shape, norm_kernel<Type, false>, args);
}

} // namespace

void rms_norm(const norm_args& args, stream& in) {
  check(args);
  if (args.x.rows == 0)
    return;
  const auto groups = static_cast<std::uint32_t>(args.x.columns / 4);
  const auto kept = std::min(args.x.columns, kept_columns);
  const launch_shape shape{
      .grid_x = static_cast<std::uint32_t>(args.x.rows),
      .threads = std::min<std::uint32_t>((groups + 31) / 32 * 32, most_threads),
      .shared_bytes =
          sizeof(norm_memory) + static_cast<std::size_t>(kept) * sizeof(float),
      .early = true};
  if (args.out.type == dtype::bf16)
    start<dtype::bf16>(args, shape, in);
  else if (args.out.type == dtype::f16)
    start<dtype::f16>(args, shape, in);
  else if (args.out.type == dtype::i8)
    start<dtype::i8>(args, shape, in);
  else
    start<dtype::f8_e4m3>(args, shape, in);
}

} // namespace sluice::cuda

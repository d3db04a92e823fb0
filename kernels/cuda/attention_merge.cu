// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_kernels.hpp"
#include "kernels/cuda/attention_softmax.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/operand_store.hpp"

// What follows on the spans of single rows, and on rows that leave as bytes.
// Bound by latency: both read what the kernels ahead left in the L2 cache.

namespace sluice::cuda {
namespace {

constexpr int merge_warps = 4;
constexpr int most_quads = 2; // of columns in a lane: 256 / 128
constexpr int ahead = 4;      // spans whose loads are in flight together

SLUICE_DEVICE floats4 joined(const merging& by, const floats4& a,
                             const floats4& b) {
  return {by.of(a.x, b.x), by.of(a.y, b.y), by.of(a.z, b.z), by.of(a.w, b.w)};
}

// One head of one row: its spans in order, its columns spread over a warp.
struct head_merge {
  const floats2* states;
  const floats4* sums;
  int quads; // of columns

  float largest = no_score();
  float weights = 0;
  floats4 total[most_quads] = {};

  SLUICE_DEVICE void add(const floats2& state, const floats4 (&o)[most_quads]) {
    const merging by{largest, state.x};
    weights = by.of(weights, state.y);
    SLUICE_UNROLL
    for (int k = 0; k < most_quads; ++k)
      total[k] = joined(by, total[k], o[k]);
  }

  SLUICE_DEVICE void run(int spans) {
    for (int first = 0; first < spans; first += ahead) {
      floats2 state[ahead];
      floats4 o[ahead][most_quads] = {};
      SLUICE_UNROLL
      for (int n = 0; n < ahead; ++n) {
        if (first + n >= spans)
          break;
        state[n] = states[first + n];
        SLUICE_UNROLL
        for (int k = 0; k < most_quads; ++k)
          if (lane() + 32 * k < quads)
            o[n][k] = sums[(first + n) * quads + lane() + 32 * k];
      }
      SLUICE_UNROLL
      for (int n = 0; n < ahead; ++n)
        if (first + n < spans)
          add(state[n], o[n]);
    }
  }
};

// x: groups of heads, y: row.
SLUICE_KERNEL(merge_warps* warp_lanes)
merge_kernel(attention_view view, single_rows rows, span_results results,
             float weight_unit) {
  let_next_kernel_start(); // the next matmul's weights may come meanwhile
  wait_for_previous_kernel();
  const int head = block_x() * merge_warps + warp();
  const std::int64_t row = row_of(rows, block_y());
  const auto seen = seen_by(view, view.positions[row]);
  if (head >= view.heads || seen.last < 0)
    return;
  const auto head_dim = static_cast<int>(view.cache.head_dim);
  const std::int64_t at =
      (std::int64_t{block_y()} * view.heads + head) * results.spans;
  head_merge merge{
      results.states + at,
      reinterpret_cast<const floats4*>(results.sums + at * head_dim),
      head_dim / 4};
  merge.run(seen.last / span_positions - seen.first / span_positions + 1);
  const float inverse = weight_unit / merge.weights;
  SLUICE_UNROLL
  for (int k = 0; k < most_quads; ++k) {
    const int quad = lane() + 32 * k;
    const auto& x = merge.total[k];
    if (quad >= merge.quads)
      continue;
    store_pair(view, row, head, 4 * quad, {x.x * inverse, x.y * inverse});
    store_pair(view, row, head, 4 * quad + 2, {x.z * inverse, x.w * inverse});
  }
}

constexpr int rounding_threads = 256;

// The largest magnitude of a row, over the block.
SLUICE_DEVICE std::uint32_t largest_of_row(const floats4* x, int quads) {
  auto* of_warps = shared_memory<std::uint32_t>();
  std::uint32_t found = 0;
  for (int i = thread(); i < quads; i += threads())
    found = max(found, magnitude(x[i]));
  SLUICE_UNROLL
  for (int mask = warp_lanes / 2; mask > 0; mask /= 2)
    found = max(found, shuffle_xor(found, mask));
  if (lane() == 0)
    of_warps[warp()] = found;
  sync_block();
  for (int w = 0; w < rounding_threads / warp_lanes; ++w)
    found = max(found, of_warps[w]);
  return found;
}

template <dtype Type>
SLUICE_KERNEL(rounding_threads)
rounding_kernel(const float* from, const std::int32_t* positions, operand out) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const std::int64_t row = block_x();
  if (positions[row] < 0)
    return;
  const auto* x = reinterpret_cast<const floats4*>(from + row * out.columns);
  const auto quads = static_cast<int>(out.columns / 4);
  const byte_scale<Type> by{largest_of_row(x, quads)};
  for (int i = thread(); i < quads; i += threads())
    by.store(out.data + row * out.columns, i, x[i]);
  if (thread() == 0)
    out.scales[row] = by.scale;
}

} // namespace

void start_merge(const attention_view& view, const single_rows& rows,
                 const span_results& results, stream& in) {
  const float unit = view.cache.type == dtype::i8 ? int8_cache::weight_unit
                     : view.cache.type == dtype::f8_e4m3
                         ? e4m3_cache::weight_unit
                         : f16_cache::weight_unit;
  const int groups = (view.heads + merge_warps - 1) / merge_warps;
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(groups),
          .grid_y = static_cast<std::uint32_t>(rows.count),
          .threads = merge_warps * warp_lanes,
          .early = true},
         merge_kernel, view, rows, results, unit);
}

void start_rounding(const float* x, const std::int32_t* positions,
                    const operand& out, stream& in) {
  const launch_shape shape{.grid_x = static_cast<std::uint32_t>(out.rows),
                           .threads = rounding_threads,
                           .shared_bytes = rounding_threads / warp_lanes *
                                           sizeof(std::uint32_t),
                           .early = true};
  if (out.type == dtype::i8)
    launch(in, shape, rounding_kernel<dtype::i8>, x, positions, out);
  else
    launch(in, shape, rounding_kernel<dtype::f8_e4m3>, x, positions, out);
}

} // namespace sluice::cuda

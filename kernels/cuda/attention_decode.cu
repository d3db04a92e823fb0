// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_kernels.hpp"
#include "kernels/cuda/attention_softmax.hpp"
#include "kernels/cuda/launch.hpp"

// Attention of single rows: bound by the memory that K and V come from. A warp,
// alone in its block, takes one span of one row for up to 16 query heads of a
// kv head, which are the rows of its products. It has two blocks of keys and
// values, up to 64 KiB, on their way or in use, and several such warps are on
// a processor, so that more is in flight than latency times bandwidth. Nothing
// waits for another warp.

namespace sluice::cuda {
namespace {

constexpr int tile_heads = 16;

template <class Cache, int HeadDim>
struct span_warp {
  using layout = block_layout<Cache, HeadDim>;
  // In shared memory where registers would spill.
  using query = query_rows<Cache, HeadDim,
                           (HeadDim > 128 || (Cache::scaled && HeadDim == 96))>;

  const attention_view& view;
  seen_range seen;
  int start; // position of the span
  int kv_head;
  std::uint32_t page = 0; // of group lane() of the span

  SLUICE_DEVICE std::byte* part(int block, bool values) const {
    return shared_memory<std::byte>() + block % 2 * layout::block_bytes +
           (values ? layout::part_bytes : 0);
  }

  // One group of asynchronous copies, empty past the last block.
  SLUICE_DEVICE void issue(int block, int last_block, bool values) const {
    if (block <= last_block) {
      const auto from = values ? values_of(view) : keys_of(view);
      SLUICE_ROLLED
      for (int i = 0; i < layout::groups; ++i) {
        const int group = block * layout::groups + i;
        const int at = start + group * group_keys;
        const auto line = line_of(view, shuffle(page, group), kv_head, at);
        copy_group<Cache, HeadDim>(part(block, values), i * group_keys, from,
                                   line, seen.first - at, seen.last + 1 - at);
      }
    }
    copy_async_commit();
  }

  SLUICE_DEVICE void run(span_sums<HeadDim>& sums, const query& q,
                         const floats2& slopes) const {
    const lane_rows rows{{seen, seen}};
    const int first = max(seen.first - start, 0) / layout::keys;
    const int last = min(seen.last - start, span_positions - 1) / layout::keys;
    for (int b = first; b < first + 2; ++b) {
      issue(b, last, false);
      issue(b, last, true);
    }
    for (int b = first; b <= last; ++b) {
      const int at = start + b * layout::keys;
      float s[layout::keys / 8][4];
      copy_async_wait<3>(); // the keys of b are there
      sync_warp();
      multiply_keys<Cache, HeadDim>(s, q, part(b, false));
      sync_warp();
      issue(b + 2, last, false);
      if (view.slopes)
        rows.lean(s, at, slopes);
      if (at < seen.first || at + layout::keys > seen.last + 1)
        rows.hide(s, at);
      weigh(sums, s, view.scale);
      copy_async_wait<3>(); // the values of b are there
      sync_warp();
      multiply_values<Cache, HeadDim>(sums.o, s, part(b, true));
      sync_warp();
      issue(b + 2, last, true);
    }
    copy_async_wait<0>();
  }
};

// x: span of those that the row sees, y: kv head and tile of its query heads,
// z: row.
template <class Cache, int HeadDim>
SLUICE_KERNEL(warp_lanes)
decode_kernel(attention_view view, single_rows rows, span_results results) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const int i = block_z();
  const std::int64_t row = row_of(rows, i);
  const int position = view.positions[row];
  const auto seen = seen_by(view, position);
  const int start = (seen.first / span_positions + block_x()) * span_positions;
  if (position < 0 || start > position)
    return;
  const int tiles = (view.group + tile_heads - 1) / tile_heads;
  const int kv_head = block_y() / tiles;
  const int first_head = block_y() % tiles * tile_heads; // of the group
  const int end_head = min(view.group - first_head, tile_heads);
  const int head = kv_head * view.group + first_head;

  span_warp<Cache, HeadDim> span{view, seen, start, kv_head};
  span.page =
      page_of(view, table_of(view, row), start + lane() * group_keys, seen);
  const int own = lane() / 4; // its two query heads are this and + 8
  typename span_warp<Cache, HeadDim>::query q;
  q.load(own < end_head ? query_of(view, row, head + own) : nullptr,
         own + 8 < end_head ? query_of(view, row, head + own + 8) : nullptr,
         shared_memory<std::byte>() +
             2 * block_layout<Cache, HeadDim>::block_bytes);
  floats2 slopes{0, 0};
  if (view.slopes) // of a head that is none, any other's
    slopes = slopes_of(view, head + min(own, end_head - 1),
                       head + min(own + 8, end_head - 1));
  span_sums<HeadDim> sums;
  sums.clear();
  span.run(sums, q, slopes);
  sums.whole();

  SLUICE_UNROLL
  for (int j = 0; j < 2; ++j) {
    if (own + 8 * j >= end_head)
      continue;
    const std::int64_t at =
        (std::int64_t{i} * view.heads + head + own + 8 * j) * results.spans +
        block_x();
    if (lane() % 4 == 0)
      results.states[at] = {sums.largest[j], sums.weights[j]};
    SLUICE_UNROLL
    for (int n = 0; n < HeadDim / 8; ++n)
      *reinterpret_cast<floats2*>(results.sums + at * HeadDim +
                                  pair_column<Cache>(n)) =
          pair_of<Cache, HeadDim>(sums.o, n, j);
  }
}

template <class Cache, int HeadDim>
void start(const attention_view& view, const single_rows& rows,
           const span_results& results, stream& in) {
  const int tiles = (view.group + tile_heads - 1) / tile_heads;
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(results.spans),
          .grid_y = static_cast<std::uint32_t>(view.cache.kv_heads * tiles),
          .grid_z = static_cast<std::uint32_t>(rows.count),
          .threads = warp_lanes,
          .shared_bytes = 2 * block_layout<Cache, HeadDim>::block_bytes +
                          span_warp<Cache, HeadDim>::query::warp_bytes,
          .early = true},
         decode_kernel<Cache, HeadDim>, view, rows, results);
}

} // namespace

void start_decode(const attention_view& view, const single_rows& rows,
                  const span_results& results, stream& in) {
  choose_head_dim(view.cache.head_dim, [&](auto head_dim) {
    constexpr int dim = decltype(head_dim)::value;
    if (view.cache.type == dtype::f16)
      start<f16_cache, dim>(view, rows, results, in);
    else if (view.cache.type == dtype::bf16)
      start<bf16_cache, dim>(view, rows, results, in);
    else if constexpr (dim >= 32) {
      if (view.cache.type == dtype::i8)
        start<int8_cache, dim>(view, rows, results, in);
      else
        start<e4m3_cache, dim>(view, rows, results, in);
    }
  });
}

} // namespace sluice::cuda

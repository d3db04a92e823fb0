// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/attention_kernels.hpp"
#include "kernels/cuda/attention_softmax.hpp"
#include "kernels/cuda/launch.hpp"

// Attention of tiles of neighbouring rows: bound by the tensor cores and by
// what ldmatrix reads for them. A block takes 128 query rows (64 of head_dim
// 256), each a row of the step times a query head of one kv head; a warp has 16
// of them, their queries and sums in registers, and runs through all keys in
// order. Two blocks of keys and values are in shared memory: one comes while
// the other is read, with one barrier between. Where registers are short, what
// was merged of earlier spans is in shared memory as well.

namespace sluice::cuda {
namespace {

template <int HeadDim> // each warp copies a group
inline constexpr int prompt_threads =
    block_layout<f16_cache, HeadDim>::groups* warp_lanes;

template <class Cache, int HeadDim>
struct prompt_shape {
  using layout = block_layout<Cache, HeadDim>;
  static constexpr int warps = layout::groups;
  static constexpr bool merged_in_shared = HeadDim > 128;
  static constexpr int merged_bytes =
      merged_in_shared ? warps * warp_lanes * HeadDim / 2 * 4 : 0;
  static constexpr int query_at = 2 * layout::block_bytes + merged_bytes;
  using query = query_rows<Cache, HeadDim, (HeadDim > 96)>;
  static constexpr int query_bytes = query::warp_bytes;
  static constexpr int shared_bytes = query_at + warps * query_bytes;
};

// What a lane has merged of earlier spans.
template <class Cache, int HeadDim>
struct merged_sums {
  using shape = prompt_shape<Cache, HeadDim>;
  static constexpr int tiles = HeadDim / 8;

  float kept[shape::merged_in_shared ? 1 : tiles][4];
  float largest[2] = {no_score(), no_score()};
  float weights[2] = {0, 0};

  static SLUICE_DEVICE floats4& shared(int n) {
    auto* all = reinterpret_cast<floats4*>(shared_memory<std::byte>() +
                                           2 * shape::layout::block_bytes);
    return all[(warp() * tiles + n) * warp_lanes + lane()];
  }

  SLUICE_DEVICE void get(int n, float (&x)[4]) const {
    if constexpr (shape::merged_in_shared) {
      const floats4 all = shared(n);
      x[0] = all.x, x[1] = all.y, x[2] = all.z, x[3] = all.w;
    } else {
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i)
        x[i] = kept[n][i];
    }
  }

  SLUICE_DEVICE void put(int n, const float (&x)[4]) {
    if constexpr (shape::merged_in_shared) {
      shared(n) = {x[0], x[1], x[2], x[3]};
    } else {
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i)
        kept[n][i] = x[i];
    }
  }

  SLUICE_DEVICE void clear() {
    const float nothing[4] = {};
    SLUICE_UNROLL
    for (int n = 0; n < tiles; ++n)
      put(n, nothing);
  }

  SLUICE_DEVICE void add(span_sums<HeadDim>& span) {
    span.whole();
    const merging by[2] = {{largest[0], span.largest[0]},
                           {largest[1], span.largest[1]}};
    SLUICE_UNROLL
    for (int i = 0; i < 2; ++i)
      weights[i] = by[i].of(weights[i], span.weights[i]);
    SLUICE_UNROLL
    for (int n = 0; n < tiles; ++n) {
      float x[4];
      get(n, x);
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i)
        x[i] = by[i / 2].of(x[i], span.o[n][i]);
      put(n, x);
    }
    span.clear();
  }
};

// One of the two rows of a tile that a lane has: lane / 4 in the 16 of its
// warp, and 8 further on. Found anew where it is used: registers are short.
struct tile_row {
  std::int64_t row; // of the step
  int head;
  int position; // below 0: there is no such row

  SLUICE_DEVICE tile_row(const attention_view& view, const attention_tile& tile,
                         int i) {
    const int in_tile = warp() * 16 + i * 8 + lane() / 4;
    const int token = in_tile / view.group;
    row = tile.row + token;
    head = block_x() * view.group + in_tile % view.group;
    position = token < tile.count ? view.positions[row] : -1;
  }
};

// What the rows of a warp see.
struct tile_rows {
  lane_rows lanes;
  seen_range every; // any of them
  seen_range all;   // all of them
};

SLUICE_DEVICE int warp_min(int x) {
  SLUICE_UNROLL
  for (int mask = warp_lanes / 2; mask > 0; mask /= 2)
    x = min(x, shuffle_xor(x, mask));
  return x;
}

constexpr int far = 0x7fffffff;

SLUICE_DEVICE tile_rows rows_of(const attention_view& view,
                                const attention_tile& tile) {
  tile_rows found{};
  int least_first = far, greatest_first = -1;
  int least_last = far, greatest_last = -1;
  SLUICE_UNROLL
  for (int i = 0; i < 2; ++i) {
    const int position = tile_row{view, tile, i}.position;
    const auto seen = seen_by(view, position);
    found.lanes.seen[i] = seen;
    if (position < 0)
      continue;
    least_first = min(least_first, seen.first);
    greatest_first = max(greatest_first, seen.first);
    least_last = min(least_last, seen.last);
    greatest_last = max(greatest_last, seen.last);
  }
  found.every = {warp_min(least_first), -warp_min(-greatest_last)};
  found.all = {-warp_min(-greatest_first), warp_min(least_last)};
  return found;
}

// What any row of the tile sees.
SLUICE_DEVICE seen_range seen_by_tile(const attention_view& view,
                                      const attention_tile& tile) {
  int first = far, last = -1;
  for (int t = lane(); t < tile.count; t += warp_lanes) {
    const int position = view.positions[tile.row + t];
    if (position < 0)
      continue;
    const auto seen = seen_by(view, position);
    first = min(first, seen.first);
    last = max(last, seen.last);
  }
  return {warp_min(first), -warp_min(-last)};
}

// How a warp brings its group of each block to shared memory.
template <class Cache, int HeadDim>
struct group_copies {
  using layout = block_layout<Cache, HeadDim>;

  const attention_view& view;
  const std::uint32_t* table;
  seen_range seen;
  int kv_head;

  static SLUICE_DEVICE std::byte* part(int block, bool values) {
    return shared_memory<std::byte>() + block % 2 * layout::block_bytes +
           (values ? layout::part_bytes : 0);
  }
  static SLUICE_DEVICE int position(int block) {
    return block * layout::keys + warp() * group_keys;
  }
  SLUICE_DEVICE std::uint32_t page(int block) const {
    return page_of(view, table, position(block), seen);
  }
  SLUICE_DEVICE void issue(int block, std::uint32_t page) const {
    const int at = position(block);
    const auto line = line_of(view, page, kv_head, at);
    copy_group<Cache, HeadDim>(part(block, false), warp() * group_keys,
                               keys_of(view), line, seen.first - at,
                               seen.last + 1 - at);
    copy_group<Cache, HeadDim>(part(block, true), warp() * group_keys,
                               values_of(view), line, seen.first - at,
                               seen.last + 1 - at);
    copy_async_commit();
  }
};

template <class Cache, int HeadDim>
SLUICE_DEVICE void store_rows(const attention_view& view,
                              const attention_tile& tile,
                              const merged_sums<Cache, HeadDim>& sums) {
  float o[HeadDim / 8][4];
  SLUICE_UNROLL
  for (int n = 0; n < HeadDim / 8; ++n)
    sums.get(n, o[n]);
  SLUICE_UNROLL
  for (int i = 0; i < 2; ++i) {
    const tile_row to{view, tile, i};
    if (to.position < 0)
      continue;
    const float inverse = Cache::weight_unit / sums.weights[i];
    SLUICE_UNROLL
    for (int n = 0; n < HeadDim / 8; ++n) {
      const floats2 x = pair_of<Cache, HeadDim>(o, n, i);
      store_pair(view, to.row, to.head, pair_column<Cache>(n),
                 {x.x * inverse, x.y * inverse});
    }
  }
}

template <class Cache, int HeadDim>
SLUICE_DEVICE typename prompt_shape<Cache, HeadDim>::query
load_queries(const attention_view& view, const attention_tile& tile) {
  using shape = prompt_shape<Cache, HeadDim>;
  const std::byte* from[2];
  SLUICE_UNROLL
  for (int i = 0; i < 2; ++i) {
    const tile_row at{view, tile, i};
    from[i] = at.position < 0 ? nullptr : query_of(view, at.row, at.head);
  }
  typename shape::query q;
  q.load(from[0], from[1],
         shared_memory<std::byte>() + shape::query_at +
             warp() * shape::query_bytes);
  return q;
}

SLUICE_DEVICE floats2 slopes_of(const attention_view& view,
                                const attention_tile& tile) {
  return slopes_of(view, tile_row{view, tile, 0}.head,
                   tile_row{view, tile, 1}.head);
}

// x: kv head, y: tile.
template <class Cache, int HeadDim>
SLUICE_KERNEL(prompt_threads<HeadDim>)
prompt_kernel(attention_view view, const attention_tile* tiles) {
  using layout = block_layout<Cache, HeadDim>;
  constexpr int span_blocks = span_positions / layout::keys;
  let_next_kernel_start();
  wait_for_previous_kernel();
  const attention_tile tile = tiles[block_y()];
  const int kv_head = block_x();
  const seen_range seen = seen_by_tile(view, tile);
  if (seen.last < 0)
    return;
  const int first = seen.first / layout::keys;
  const int last = seen.last / layout::keys;
  const group_copies<Cache, HeadDim> copies{view, table_of(view, tile.row),
                                            seen, kv_head};
  copies.issue(first, copies.page(first));
  std::uint32_t next = copies.page(first + 1);

  const tile_rows rows = rows_of(view, tile);
  const auto q = load_queries<Cache, HeadDim>(view, tile);
  merged_sums<Cache, HeadDim> merged;
  merged.clear();
  span_sums<HeadDim> sums;
  sums.clear();
  for (int b = first; b <= last; ++b) {
    const int at = b * layout::keys;
    copy_async_wait<0>();
    sync_block(); // block b is there, and block b - 1 is done with
    if (b < last)
      copies.issue(b + 1, next);
    next = copies.page(b + 2);
    if (at <= rows.every.last && at + layout::keys > rows.every.first) {
      float s[layout::keys / 8][4];
      multiply_keys<Cache, HeadDim>(s, q, copies.part(b, false));
      if (view.slopes)
        rows.lanes.lean(s, at, slopes_of(view, tile));
      if (at < rows.all.first || at + layout::keys > rows.all.last + 1)
        rows.lanes.hide(s, at);
      weigh(sums, s, view.scale);
      multiply_values<Cache, HeadDim>(sums.o, s, copies.part(b, true));
    }
    if ((b + 1) % span_blocks == 0 || b == last)
      merged.add(sums);
  }
  store_rows(view, tile, merged);
}

template <class Cache, int HeadDim>
void start(const attention_view& view, const attention_tile* tiles,
           std::int64_t count, stream& in) {
  using shape = prompt_shape<Cache, HeadDim>;
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(view.cache.kv_heads),
          .grid_y = static_cast<std::uint32_t>(count),
          .threads = shape::warps * warp_lanes,
          .shared_bytes = shape::shared_bytes,
          .early = true},
         prompt_kernel<Cache, HeadDim>, view, tiles);
}

} // namespace

void start_prompt(const attention_view& view, const attention_tile* tiles,
                  std::int64_t count, stream& in) {
  choose_head_dim(view.cache.head_dim, [&](auto head_dim) {
    constexpr int dim = decltype(head_dim)::value;
    if (view.cache.type == dtype::f16)
      start<f16_cache, dim>(view, tiles, count, in);
    else if (view.cache.type == dtype::bf16)
      start<bf16_cache, dim>(view, tiles, count, in);
    else if constexpr (dim >= 32) {
      if (view.cache.type == dtype::i8)
        start<int8_cache, dim>(view, tiles, count, in);
      else
        start<e4m3_cache, dim>(view, tiles, count, in);
    }
  });
}

} // namespace sluice::cuda

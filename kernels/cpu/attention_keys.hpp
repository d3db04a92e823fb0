// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_prefetch.hpp"

// A tile of keys, turned so that keys stand in the lanes.

namespace sluice::SLUICE_ISA {

/// `lanes` rows of K: the first 8 from one address on, the others, if any,
/// from another.
struct key_rows {
  const std::byte* run[2];
  std::int64_t bytes; // of a row, whole vectors
};

/// Transposes rows: an element of the head a line of `keys`.
template <class Format>
SLUICE_INLINE void transpose_rows(const key_rows& rows, float* keys,
                                  row_prefetcher& ahead) {
  for (std::int64_t at = 0; at < rows.bytes; at += lanes * 4) {
    constexpr int tile_lines = row_prefetcher::lines / 2 * lanes / 16;
    const std::byte* lines = ahead.next(tile_lines);
    for (int n = 0; n < tile_lines; ++n) {
      ahead.ask(lines, n);
    }
    vec words[lanes];
#pragma GCC unroll 16
    for (int n = 0; n < lanes; ++n) {
      words[n] = load(reinterpret_cast<const float*>(
          rows.run[n / run_positions] + n % run_positions * rows.bytes + at));
    }
    Format::turn(words, keys, tile_positions);
    keys += lanes * Format::per_word * tile_positions;
  }
}

/// The general case of transpose_keys: rows are copied and padded with zeros.
template <class Format>
[[gnu::noinline]] void transpose_copied(const kv_rows& rows,
                                        std::int64_t position,
                                        const position_range& range,
                                        float* keys, row_prefetcher& ahead) {
  constexpr std::int64_t width = lanes * 4;
  const std::int64_t bytes = rows.kv.head_dim * Format::bytes;
  const std::int64_t padded = (bytes + width - 1) / width * width;
  alignas(64) std::byte copy[lanes * most_head_dim * 4];
  __builtin_memset(copy, 0, static_cast<std::size_t>(lanes * padded));
  const position_range inside = both(range, {position, position + lanes});
  for (std::int64_t at = inside.first; at < inside.end; ++at) {
    __builtin_memcpy(copy + (at - position) * padded,
                     rows.kv.k + rows.of(at) * bytes,
                     static_cast<std::size_t>(bytes));
  }
  transpose_rows<Format>({{copy, copy + run_positions * padded}, padded}, keys,
                         ahead);
}

/// Writes `lanes` keys from `position` on into `keys`, an element of the head
/// a line; zeros outside `range`, where the cache may hold anything.
template <class Format>
SLUICE_INLINE void transpose_keys(const kv_rows& rows, std::int64_t position,
                                  const position_range& range, float* keys,
                                  row_prefetcher& ahead) {
  const std::int64_t bytes = rows.kv.head_dim * Format::bytes;
  if (bytes % (lanes * 4) != 0 || position < range.first ||
      position + lanes > range.end) {
    return transpose_copied<Format>(rows, position, range, keys, ahead);
  }
  const std::int64_t next = position + (lanes > run_positions ? 8 : 0);
  transpose_rows<Format>({{rows.kv.k + rows.of(position) * bytes,
                           rows.kv.k + rows.of(next) * bytes},
                          bytes},
                         keys, ahead);
}

/// What the dot products of a tile's keys are multiplied by: the scale of the
/// scores and, where keys have scales, of each key.
template <class Format>
SLUICE_INLINE void set_factors(const kv_rows& rows, const position_range& range,
                               std::int64_t tile, float scale, float* factors) {
  if (Format::bytes == 1) {
    gather_scales(rows, rows.kv.k_scales, range, tile, factors);
  }
  for (int j = 0; j < tile_positions; j += lanes) {
    const vec key = Format::bytes == 1 ? load(factors + j) : set(1);
    store(factors + j, mul(key, set(scale)));
  }
}

/// Writes the keys of `positions` and their factors into `scratch`.
/// @param tile  the tile's first position.
template <class Format>
SLUICE_INLINE void load_keys(const kv_rows& rows, std::int64_t tile,
                             const position_range& positions, float scale,
                             tile_scratch& scratch, row_prefetcher& ahead) {
  for (std::int64_t j = positions.first / lanes * lanes; j < positions.end;
       j += lanes) {
    transpose_keys<Format>(rows, j, positions, scratch.keys + j - tile, ahead);
  }
  set_factors<Format>(rows, positions, tile, scale, scratch.factors);
}

} // namespace sluice::SLUICE_ISA

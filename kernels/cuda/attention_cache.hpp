// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/attention_view.hpp"

// Blocks of keys and values in shared memory, and how they become fragments of
// m16n8k16 products, for every type of cache.

namespace sluice::cuda {

struct f16_cache {
  static constexpr int element_bytes = 2;
  static constexpr bool scaled = false;
  static constexpr float weight_unit = 1; // of the sums over weights

  static SLUICE_DEVICE void multiply(float (&d)[4], const std::uint32_t (&a)[4],
                                     const std::uint32_t (&b)[2]) {
    multiply_f16(d, a, b);
  }
  static SLUICE_DEVICE std::uint32_t pack(float low, float high) {
    return f16_pair(low, high);
  }
};

struct bf16_cache {
  static constexpr int element_bytes = 2;
  static constexpr bool scaled = false;
  static constexpr float weight_unit = 1;

  static SLUICE_DEVICE void multiply(float (&d)[4], const std::uint32_t (&a)[4],
                                     const std::uint32_t (&b)[2]) {
    multiply_bf16(d, a, b);
  }
  static SLUICE_DEVICE std::uint32_t pack(float low, float high) {
    return bf16_pair(low, high);
  }
};

/// Int8 widened exactly to f16. The scales of K go into the scores in f32. The
/// scales of V go into the weights, which are then rounded to f16: 128 times as
/// large, so that what f16 can hold of V, up to 65504, int8 may stand for, and
/// scales down to 1e-6 lose no more to subnormals than to the rounding.
struct int8_cache : f16_cache {
  static constexpr int element_bytes = 1;
  static constexpr bool scaled = true;
  static constexpr float weight_unit = 1.0f / 128;

  // Bytes Low and High as 1024 + 128 + x in f16, two a word, minus 1152.
  template <int Low, int High>
  static SLUICE_DEVICE std::uint32_t widen(std::uint32_t bytes) {
    const auto biased = permute_bytes(bytes ^ 0x80808080u, 0x64646464u,
                                      0x4040u | Low | High << 8);
    return half2_fma(biased, 0x3c003c00u, 0xe480e480u);
  }
};

/// f8_e4m3, of which f16 has every number, in the same places as int8. A scale
/// is 1 / 448 of the largest |v| in the place of 1 / 127: with twice the factor
/// weights are about as large.
struct e4m3_cache : f16_cache {
  static constexpr int element_bytes = 1;
  static constexpr bool scaled = true;
  static constexpr float weight_unit = 1.0f / 256;

  template <int Low, int High>
  static SLUICE_DEVICE std::uint32_t widen(std::uint32_t bytes) {
    return f16_pair_of_e4m3(
        static_cast<std::uint16_t>(permute_bytes(bytes, 0, Low | High << 4)));
  }
};

/// Where a block of keys lies in shared memory: keys, then their scales, then
/// the same of values.
template <class Cache, int HeadDim>
struct block_layout {
  static constexpr int keys = HeadDim > 128 ? 32 : 64;
  static constexpr int groups = keys / group_keys;
  static constexpr int row_bytes = HeadDim * Cache::element_bytes;
  static constexpr int chunks = row_bytes / 16; // of a row
  static constexpr int tile_bytes = keys * row_bytes;
  static constexpr int part_bytes = tile_bytes + (Cache::scaled ? keys * 4 : 0);
  static constexpr int block_bytes = 2 * part_bytes; // K and V

  /// Where a chunk of a row is. Eight rows of one column, as ldmatrix reads
  /// them, are in eight different places of a line of 128 bytes.
  static SLUICE_DEVICE int place(int row, int chunk) {
    constexpr int bits = chunks % 8 == 0 ? 3 : chunks % 4 == 0 ? 2 : 1;
    const int turn = row >> (3 - bits) & ((1 << bits) - 1);
    return row * row_bytes + (chunk ^ turn) * 16;
  }
};

/// Keys or values of a layer in global memory.
struct cache_source {
  const std::byte* rows;
  const float* scales;
};
SLUICE_DEVICE cache_source keys_of(const attention_view& view) {
  return {view.cache.k, view.cache.k_scales};
}
SLUICE_DEVICE cache_source values_of(const attention_view& view) {
  return {view.cache.v, view.cache.v_scales};
}

/// A warp copies a group of eight neighbouring keys or values; zeros for those
/// outside [first, end): stale pages may hold anything.
/// @param part  of the block; `key`: where in it, a multiple of eight.
template <class Cache, int HeadDim>
SLUICE_DEVICE void copy_group(std::byte* part, int key,
                              const cache_source& from, std::int64_t line,
                              int first, int end) {
  using layout = block_layout<Cache, HeadDim>;
  constexpr int pieces = group_keys * layout::chunks;
  constexpr int together = 4 * warp_lanes; // more cost too many registers
  const std::byte* rows = from.rows + line * layout::row_bytes;
  SLUICE_ROLLED
  for (int start = lane(); start < pieces; start += together) {
    SLUICE_UNROLL
    for (int i = 0; i < together && i < pieces; i += warp_lanes) {
      const int c = start + i;
      const int row = c / layout::chunks;
      if (pieces % warp_lanes == 0 || c < pieces)
        copy_async16(part + layout::place(key + row, c % layout::chunks),
                     rows + c * 16, row >= first && row < end);
    }
  }
  if constexpr (Cache::scaled) {
    const int four = 4 * lane();
    if (four < group_keys)
      copy_async16(part + layout::tile_bytes + (key + four) * 4,
                   from.scales + line + four, four < end && four + 4 > first);
  }
}

/// Fragments of two query rows of a lane, lane / 4 and eight further on. Of
/// bytes the order inside 16 elements is that in which a word of four bytes
/// becomes two words. Where registers are short they wait in shared memory,
/// each lane's for itself.
template <class Cache, int HeadDim, bool InShared>
struct query_rows {
  static constexpr bool in_shared = InShared;
  static constexpr int tiles = HeadDim / 16;
  static constexpr int warp_bytes = in_shared ? tiles * warp_lanes * 16 : 0;

  words4 held[in_shared ? 1 : tiles];
  words4* shared; // of the warp

  /// @param low, high  the rows; null: zeros.
  SLUICE_DEVICE void load(const std::byte* low, const std::byte* high,
                          std::byte* room) {
    shared = reinterpret_cast<words4*>(room) + lane();
    SLUICE_UNROLL
    for (int k = 0; k < tiles; ++k) {
      const words2 first = pairs_of(low, k);
      const words2 second = pairs_of(high, k);
      const words4 all{first.x, second.x, first.y, second.y};
      if constexpr (in_shared)
        shared[k * warp_lanes] = all;
      else
        held[k] = all;
    }
  }

  SLUICE_DEVICE void get(int k, std::uint32_t (&a)[4]) const {
    const words4 all = in_shared ? shared[k * warp_lanes] : held[k];
    a[0] = all.x, a[1] = all.y, a[2] = all.z, a[3] = all.w;
  }

private:
  static SLUICE_DEVICE words2 pairs_of(const std::byte* row, int k) {
    if (!row)
      return {0, 0};
    row += k * 32 + lane() % 4 * (Cache::scaled ? 8 : 4);
    if constexpr (Cache::scaled)
      return *reinterpret_cast<const words2*>(row);
    else
      return {*reinterpret_cast<const std::uint32_t*>(row),
              *reinterpret_cast<const std::uint32_t*>(row + 16)};
  }
};

/// s += the products of two chunks of every key.
template <class Layout, class Cache, class Query, int Tiles>
SLUICE_DEVICE void add_chunks(float (&s)[Tiles][4], const Query& q,
                              const std::byte* part, int c, int row) {
  const int half = lane() / 8 % 2;
  std::uint32_t a[Cache::scaled ? 2 : 1][4];
  SLUICE_UNROLL
  for (int i = 0; i < (Cache::scaled ? 2 : 1); ++i)
    q.get(Cache::scaled ? c + i : c / 2, a[i]);
  SLUICE_UNROLL
  for (int j = 0; j < Tiles; j += 2) {
    std::uint32_t r[4];
    load_matrices(r, part + Layout::place(j * 8 + row, c + half));
    if constexpr (Cache::scaled) {
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i) {
        const std::uint32_t b[2] = {Cache::template widen<0, 1>(r[i]),
                                    Cache::template widen<2, 3>(r[i])};
        Cache::multiply(s[j + i / 2], a[i % 2], b);
      }
    } else {
      const std::uint32_t low[2] = {r[0], r[1]};
      const std::uint32_t high[2] = {r[2], r[3]};
      Cache::multiply(s[j], a[0], low);
      Cache::multiply(s[j + 1], a[0], high);
    }
  }
}

/// s = q K^T of a block, in order of the head's elements.
template <class Cache, int HeadDim, class Query>
SLUICE_DEVICE void
multiply_keys(float (&s)[block_layout<Cache, HeadDim>::keys / 8][4],
              const Query& q, const std::byte* part) {
  using layout = block_layout<Cache, HeadDim>;
  const int row = lane() / 16 * 8 + lane() % 8;
  SLUICE_UNROLL
  for (int j = 0; j < layout::keys / 8; ++j) {
    SLUICE_UNROLL
    for (int i = 0; i < 4; ++i)
      s[j][i] = 0;
  }
  // Of 256 elements the addresses of all would not fit into registers.
  constexpr int together = HeadDim > 128 ? 8 : layout::chunks;
  SLUICE_ROLLED
  for (int first = 0; first < layout::chunks; first += together) {
    SLUICE_UNROLL
    for (int c = first; c < first + together; c += 2)
      add_chunks<layout, Cache>(s, q, part, c, row);
  }
  if constexpr (Cache::scaled) {
    const auto* scales =
        reinterpret_cast<const floats2*>(part + layout::tile_bytes);
    SLUICE_UNROLL
    for (int j = 0; j < layout::keys / 8; ++j) {
      const floats2 scale = scales[j * 4 + lane() % 4];
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i)
        s[j][i] *= i % 2 ? scale.y : scale.x;
    }
  }
}

/// o += p V of a block, in order of the keys.
/// @param p  weights [16 rows, keys] as they lie after multiply_keys.
template <class Cache, int HeadDim>
SLUICE_DEVICE void
multiply_values(float (&o)[HeadDim / 8][4],
                const float (&p)[block_layout<Cache, HeadDim>::keys / 8][4],
                const std::byte* part) {
  using layout = block_layout<Cache, HeadDim>;
  const auto* scales =
      reinterpret_cast<const floats2*>(part + layout::tile_bytes);
  SLUICE_UNROLL
  for (int j = 0; j < layout::keys / 8; j += 2) {
    std::uint32_t a[4];
    SLUICE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const auto& both = p[j + i / 2];
      floats2 weight{both[i % 2 * 2], both[i % 2 * 2 + 1]};
      if constexpr (Cache::scaled) {
        // A weight of 0 may meet the scale of a key that is not seen.
        const floats2 scale = scales[(j + i / 2) * 4 + lane() % 4];
        constexpr float unit = 1 / Cache::weight_unit;
        weight.x = weight.x == 0 ? 0 : weight.x * (scale.x * unit);
        weight.y = weight.y == 0 ? 0 : weight.y * (scale.y * unit);
      }
      a[i] = Cache::pack(weight.x, weight.y);
    }
    SLUICE_UNROLL
    for (int c = 0; c < layout::chunks; c += 2) {
      std::uint32_t r[4];
      load_matrices_transposed(
          r, part + layout::place(j * 8 + lane() % 16, c + lane() / 16));
      if constexpr (Cache::scaled) {
        SLUICE_UNROLL
        for (int i = 0; i < 4; i += 2) { // even, then odd columns of 16
          const std::uint32_t even[2] = {Cache::template widen<0, 2>(r[i]),
                                         Cache::template widen<0, 2>(r[i + 1])};
          Cache::multiply(o[c * 2 + i], a, even);
          const std::uint32_t odd[2] = {Cache::template widen<1, 3>(r[i]),
                                        Cache::template widen<1, 3>(r[i + 1])};
          Cache::multiply(o[c * 2 + i + 1], a, odd);
        }
      } else {
        const std::uint32_t low[2] = {r[0], r[1]};
        const std::uint32_t high[2] = {r[2], r[3]};
        Cache::multiply(o[c], a, low);
        Cache::multiply(o[c + 1], a, high);
      }
    }
  }
}

/// The n-th pair of neighbouring columns that a lane has of the sums, for its
/// row i of two, and which columns they are.
template <class Cache, int HeadDim>
SLUICE_DEVICE floats2 pair_of(const float (&o)[HeadDim / 8][4], int n, int i) {
  if constexpr (Cache::scaled)
    return {o[n / 2 * 2][i * 2 + n % 2], o[n / 2 * 2 + 1][i * 2 + n % 2]};
  else
    return {o[n][i * 2], o[n][i * 2 + 1]};
}
template <class Cache>
SLUICE_DEVICE int pair_column(int n) {
  const int part = lane() % 4;
  return Cache::scaled ? n / 2 * 16 + part * 4 + n % 2 * 2 : n * 8 + part * 2;
}

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/matmul_job.hpp"
#include "kernels/cuda/matmul_tiles.hpp"
#include "kernels/cuda/simt.hpp"

// How the tall kernel adds the slices of K in order. A block that has all of
// them keeps the total in shared memory and adds each slice as it ends. Blocks
// that share a tile leave every slice's sums in the workspace; the last one to
// arrive adds them. Every thread reads back what it, or its like in another
// block, has written, 16 bytes beside its neighbour's.

namespace sluice::cuda {

template <class Sum, int Quads> // sums of a thread, by four
struct slice_totals {
  const matmul_part& part;
  int output_tile;
  std::byte* shared; // of this block, if it has all of several slices

  /// Ends a slice: keeps its sums and starts anew from 0.
  SLUICE_DEVICE void take(Sum (&quads)[Quads][4], int slice) {
    if (part.parts == 1 && slice > 0)
      add_area<false>(shared, quads);
    auto* const area = part.parts == 1 ? shared : workspace(slice);
    SLUICE_UNROLL
    for (int i = 0; i < Quads; ++i) {
      *at(area, i) = words_of(quads[i]);
      for (int j = 0; j < 4; ++j)
        quads[i][j] = 0;
    }
  }

  /// The total of all slices.
  /// @param flag  shared memory that nobody uses any more.
  /// @return false if another block will have it.
  SLUICE_DEVICE bool give(Sum (&quads)[Quads][4], std::byte* flag) {
    if (part.parts == 1) {
      if (part.slices > 1)
        set_area<false>(shared, quads);
      return true;
    }
    if (!last_to_arrive(reinterpret_cast<std::int32_t*>(flag)))
      return false;
    set_area<true>(workspace(0), quads);
    SLUICE_ROLLED
    for (int slice = 1; slice < part.slices; ++slice)
      add_area<true>(workspace(slice), quads);
    return true;
  }

private:
  using quad = Sum[4];

  SLUICE_DEVICE std::byte* workspace(int slice) const {
    const auto index = std::int64_t{output_tile} * part.slices + slice;
    return part.sums + index * Quads * tall_tiles::threads * 16;
  }

  SLUICE_DEVICE static words4* at(std::byte* area, int i) {
    return reinterpret_cast<words4*>(area) + i * tall_tiles::threads + thread();
  }

  SLUICE_DEVICE static std::uint32_t bits(float x) { return bits_of(x); }
  SLUICE_DEVICE static std::uint32_t bits(std::int32_t x) {
    return static_cast<std::uint32_t>(x);
  }
  SLUICE_DEVICE static void from_bits(std::uint32_t word, float& x) {
    x = float_of(word);
  }
  SLUICE_DEVICE static void from_bits(std::uint32_t word, std::int32_t& x) {
    x = static_cast<std::int32_t>(word);
  }

  SLUICE_DEVICE static words4 words_of(const quad& from) {
    return {bits(from[0]), bits(from[1]), bits(from[2]), bits(from[3])};
  }
  SLUICE_DEVICE static void set(const words4& from, quad& to) {
    from_bits(from.x, to[0]), from_bits(from.y, to[1]);
    from_bits(from.z, to[2]), from_bits(from.w, to[3]);
  }
  template <bool Fresh>
  SLUICE_DEVICE static words4 load(std::byte* area, int i) {
    if constexpr (Fresh)
      return load_fresh(at(area, i));
    else
      return *at(area, i);
  }

  template <bool Fresh>
  SLUICE_DEVICE static void set_area(std::byte* area, Sum (&quads)[Quads][4]) {
    SLUICE_UNROLL
    for (int i = 0; i < Quads; ++i)
      set(load<Fresh>(area, i), quads[i]);
  }

  /// quads = area + quads
  template <bool Fresh>
  SLUICE_DEVICE static void add_area(std::byte* area, Sum (&quads)[Quads][4]) {
    SLUICE_UNROLL
    for (int i = 0; i < Quads; ++i) {
      quad before;
      set(load<Fresh>(area, i), before);
      for (int j = 0; j < 4; ++j)
        quads[i][j] = before[j] + quads[i][j];
    }
  }

  SLUICE_DEVICE bool last_to_arrive(std::int32_t* flag) const {
    memory_fence();
    sync_block();
    if (thread() == 0) {
      auto* counter = part.counters + output_tile;
      *flag = atomic_add(counter, 1);
      if (*flag == part.parts - 1)
        *counter = 0; // for the next launch
    }
    sync_block();
    const bool last = *flag == part.parts - 1;
    memory_fence();
    return last;
  }
};

} // namespace sluice::cuda

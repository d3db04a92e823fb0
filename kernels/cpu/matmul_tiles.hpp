// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/cpu/simd.hpp"

// The inner loops of matmul. A tile computes Rows x Columns outputs, each in
// one accumulator over the whole of K, so its value does not depend on the
// tile it is part of.

namespace sluice::SLUICE_ISA {

/// What a tile reads: `Rows` rows of x and `Columns` rows of the weight.
struct tile_input {
  const std::byte* weight; // its first row
  std::size_t weight_stride_bytes;
  const float* x; // the first row of x; the quantised tiles read `integers`
  std::int64_t x_stride;
  integer_input integers;
  std::int64_t m; // the first row's number
  std::int64_t k;
};

template <class Format, int Rows, int Columns>
struct dense_tile {
  vec sums[Rows][Columns];

  // One vector of K: `load_w` and `load_x` read it whole or padded with 0.
  template <class LoadWeight, class LoadInput>
  SLUICE_INLINE void step(LoadWeight load_w, LoadInput load_x) {
    vec w[Columns];
    for (int c = 0; c < Columns; ++c) {
      w[c] = load_w(c);
    }
    for (int r = 0; r < Rows; ++r) {
      const vec x = load_x(r);
      for (int c = 0; c < Columns; ++c) {
        sums[r][c] = fma(x, w[c], sums[r][c]);
      }
    }
  }

  SLUICE_INLINE void run(const tile_input& in) {
    const auto weight = [&](int c, std::int64_t i) {
      return in.weight + static_cast<std::size_t>(c) * in.weight_stride_bytes +
             i * Format::bytes;
    };
    const auto x = [&](int r, std::int64_t i) {
      return in.x + r * in.x_stride + i;
    };
    for_lanes(
        in.k,
        [&](std::int64_t i) {
          step([&](int c) { return Format::load(weight(c, i)); },
               [&](int r) { return load(x(r, i)); });
        },
        [&](std::int64_t i, int n) {
          step([&](int c) { return load_some<Format>(weight(c, i), n); },
               [&](int r) { return load_some(x(r, i), n); });
        });
  }
};

template <class Format, int Rows, int Columns>
struct quantized_tile {
  vec sums[Rows][Columns];

  template <int Blocks>
  SLUICE_INLINE void step(const tile_input& in, std::int64_t block) {
    weight_quants w[Columns];
    vec w_scales[Columns];
    for (int c = 0; c < Columns; ++c) {
      const std::byte* at =
          in.weight + static_cast<std::size_t>(c) * in.weight_stride_bytes +
          static_cast<std::size_t>(block) * Format::bytes;
      w[c] = Format::load(at, Blocks);
      w_scales[c] = weight_scales<Format>(at, Blocks);
    }
    for (int r = 0; r < Rows; ++r) {
      const std::int64_t at = block / 8 * in.integers.rows + in.m + r;
      const auto x = load_input<Format>(
          in.integers.values + at * 256 + block % 8 * 32, Blocks);
      const vec x_scales = set(in.integers.scales[at]);
      for (int c = 0; c < Columns; ++c) {
        sums[r][c] = fma(mul(w_scales[c], x_scales), dot(w[c], x), sums[r][c]);
      }
    }
  }

  SLUICE_INLINE void run(const tile_input& in) {
    const std::int64_t blocks = in.k / 32;
    std::int64_t block = 0;
    for (; block + dot_blocks <= blocks; block += dot_blocks) {
      step<dot_blocks>(in, block);
    }
    if (block < blocks) {
      step<1>(in, block);
    }
  }
};

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/weight_layout.hpp"

#include <cstddef>

// The sizes of the matmul kernels' blocks, for the kernels and their plan.

namespace sluice::cuda {

constexpr int at_most(int value, int most) {
  return value < most ? value : most;
}

/// Most tokens of a tall block. Forms with block scales lack the registers to
/// expand and scale beside the sums of 128, and fp8 those for the sums of its
/// chunks.
constexpr int most_tile_tokens(weight_form form) {
  const bool more = layout_of(form).scale_bytes > 0 || form == weight_form::fp8;
  return more ? 64 : 128;
}

/// Every warp of a skinny block has a ring of its own, of about 8 KiB: some 24
/// warps a processor have three times what latency times bandwidth asks for.
struct skinny_tiles {
  static constexpr int warps = 8;
  static constexpr int tokens = 8;
  static constexpr int stage_chunks = 2;
  static constexpr int sum_stride = 20; // floats of a token's 16 rows: no two
                                        // lanes of a store share a bank
  int stage_bytes;                      // two chunks and their group's header
  int stages;

  constexpr explicit skinny_tiles(weight_form form)
      : stage_bytes{stage_chunks * layout_of(form).bytes() +
                    layout_of(form).header_bytes},
        stages{8192 / stage_bytes} {}

  constexpr int ring_bytes() const { return stages * stage_bytes; }
  constexpr int shared_bytes() const { return warps * ring_bytes(); }
};

/// A tall block's 4 warps stand 4 x 1, 32 rows each, over up to 64 tokens, or
/// 2 x 2 over 128, 64 rows and 64 tokens each, where the sums of two blocks
/// fill a processor's registers.
struct tall_tiles {
  static constexpr int threads = 128;
  static constexpr int tiles = 8; // of 16 rows
  int tokens;
  int stage_chunks; // less of 128 tokens, so that two blocks of 3 stages and
                    // 64 KiB of totals fit into a processor
  int weight_bytes; // of one tile in a stage
  int stage_bytes;
  int stages;

  constexpr tall_tiles(weight_form form, int tile_tokens)
      : tokens{tile_tokens}, stage_chunks{tile_tokens == 128 ? 1 : 2},
        weight_bytes{stage_chunks * layout_of(form).bytes() +
                     layout_of(form).header_bytes},
        stage_bytes{tiles * weight_bytes +
                    stage_chunks * tokens * chunk_x_bytes},
        stages{tile_tokens == 128
                   ? at_most(49152 / stage_bytes, 4)
                   : at_most((tile_tokens == 64 ? 98304 : 81920) / stage_bytes,
                             8)} {}

  constexpr int column_warps() const { return tokens == 128 ? 2 : 1; }
  constexpr int row_tiles() const { return tokens == 128 ? 4 : 2; } // of a warp
  constexpr int column_tiles() const { return tokens == 128 ? 8 : tokens / 8; }
  constexpr int sums() const { return row_tiles() * column_tiles(); } // x 4
  constexpr int tile_sum_bytes() const { return threads * sums() * 16; }
  constexpr int shared_bytes(bool totals) const {
    return stages * stage_bytes + (totals ? tile_sum_bytes() : 0);
  }
};

} // namespace sluice::cuda

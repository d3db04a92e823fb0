// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/attention_cache.hpp"

// The arithmetic of attention, which the decode and the prompt kernel share so
// that a row has the same bytes from both: a warp has 16 query rows and all
// keys of a block; blocks follow each other in a span, spans are merged in
// order. A block or span in which a row sees nothing changes nothing of it,
// bit by bit, so it does not matter which other rows the warp has.
// (--fmad=false: the compiler fuses nothing that we do not write as fma.)
//
// @source Milakov and Gimelshein 2018, algorithm 3; Dao 2023, section 3.1.

namespace sluice::cuda {

SLUICE_DEVICE float no_score() {
  return float_of(0xff800000u); // minus infinity
}

/// What a factor 2^(x - largest) is taken against: 0 while there is no score,
/// so that 2^(no score - base) is 0 and no NaN.
SLUICE_DEVICE float base_of(float largest) {
  return largest == no_score() ? 0.0f : largest;
}

/// The sums of two rows of a lane over a span so far.
template <int HeadDim>
struct span_sums {
  float o[HeadDim / 8][4]; // weights times values
  float largest[2];        // score, as an exponent of two
  float weights[2];        // sums, of this lane's columns until whole()

  SLUICE_DEVICE void clear() {
    SLUICE_UNROLL
    for (int n = 0; n < HeadDim / 8; ++n) {
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i)
        o[n][i] = 0;
    }
    SLUICE_UNROLL
    for (int i = 0; i < 2; ++i) {
      largest[i] = no_score();
      weights[i] = 0;
    }
  }

  /// Adds up the weights over the lanes of a row.
  SLUICE_DEVICE void whole() {
    SLUICE_UNROLL
    for (int i = 0; i < 2; ++i) {
      weights[i] += shuffle_xor(weights[i], 1);
      weights[i] += shuffle_xor(weights[i], 2);
    }
  }
};

/// Two rows of a lane, as a block of keys meets them.
struct lane_rows {
  seen_range seen[2];

  /// Where scores are of keys that a row does not see, there are none.
  /// @param start  the position of the block's first key.
  template <int Tiles>
  SLUICE_DEVICE void hide(float (&s)[Tiles][4], int start) const {
    SLUICE_UNROLL
    for (int j = 0; j < Tiles; ++j) {
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int position = start + j * 8 + lane() % 4 * 2 + i % 2;
        const bool sees =
            position >= seen[i / 2].first && position <= seen[i / 2].last;
        s[j][i] = sees ? s[j][i] : no_score();
      }
    }
  }

  /// Adds slope * (key - query) to the scores: ALiBi.
  /// @param slopes  of the two rows, in units of unscaled scores.
  template <int Tiles>
  SLUICE_DEVICE void lean(float (&s)[Tiles][4], int start,
                          const floats2& slopes) const {
    SLUICE_UNROLL
    for (int j = 0; j < Tiles; ++j) {
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i) {
        const int position = start + j * 8 + lane() % 4 * 2 + i % 2;
        const auto behind = static_cast<float>(position - seen[i / 2].last);
        s[j][i] = fma(behind, i / 2 ? slopes.y : slopes.x, s[j][i]);
      }
    }
  }
};

/// Scores become weights, and what was summed before is brought to their base.
template <int HeadDim, int Tiles>
SLUICE_DEVICE void weigh(span_sums<HeadDim>& sums, float (&s)[Tiles][4],
                         float scale) {
  float kept[2];
  SLUICE_UNROLL
  for (int i = 0; i < 2; ++i) {
    float largest = no_score();
    SLUICE_UNROLL
    for (int j = 0; j < Tiles; ++j)
      largest =
          larger_number(largest, larger_number(s[j][2 * i], s[j][2 * i + 1]));
    largest = larger_number(largest, shuffle_xor(largest, 1));
    largest = larger_number(largest, shuffle_xor(largest, 2));
    largest = larger_number(sums.largest[i], largest * scale);
    const float base = base_of(largest);
    kept[i] = exp2_fast(sums.largest[i] - base);
    sums.largest[i] = largest;
    float weights = 0;
    SLUICE_UNROLL
    for (int j = 0; j < Tiles; ++j) {
      s[j][2 * i] = exp2_fast(fma(s[j][2 * i], scale, -base));
      s[j][2 * i + 1] = exp2_fast(fma(s[j][2 * i + 1], scale, -base));
      weights += s[j][2 * i] + s[j][2 * i + 1];
    }
    sums.weights[i] = fma(sums.weights[i], kept[i], weights);
  }
  if (ballot(kept[0] != 1 || kept[1] != 1) == 0)
    return; // as most blocks do; times 1 is no change
  SLUICE_UNROLL
  for (int n = 0; n < HeadDim / 8; ++n) {
    SLUICE_UNROLL
    for (int i = 0; i < 4; ++i)
      sums.o[n][i] *= kept[i / 2];
  }
}

/// How a span joins those before it: o = kept * o + added * span's o.
struct merging {
  float kept;
  float added;

  /// @param largest  of the spans before; becomes that of all.
  SLUICE_DEVICE merging(float& largest, float largest_of_span) {
    const float all = larger_number(largest, largest_of_span);
    kept = exp2_fast(largest - base_of(all));
    added = exp2_fast(largest_of_span - base_of(all));
    largest = all;
  }
  SLUICE_DEVICE float of(float before, float span) const {
    return fma(span, added, before * kept);
  }
};

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_span.hpp"

// The softmax of a span, a tile after the other.

namespace sluice::SLUICE_ISA {

/// The vectors of a tile that hold `seen`.
struct seen_vectors {
  int first;
  int end;

  explicit seen_vectors(const position_range& seen)
      : first{static_cast<int>(seen.first / lanes)},
        end{static_cast<int>((seen.end + lanes - 1) / lanes)} {}

  bool all() const { return first == 0 && end == tile_vectors; }

  static constexpr int tile_vectors = tile_positions / lanes;
};

/// Scores beside `seen` in its vectors become -inf.
SLUICE_INLINE void hide_unseen(float* scores, const position_range& seen) {
  for (std::int64_t j = seen.first / lanes * lanes; j < seen.first; ++j) {
    scores[j] = -__builtin_inff();
  }
  for (std::int64_t j = seen.end; j % lanes != 0; ++j) {
    scores[j] = -__builtin_inff();
  }
}

SLUICE_INLINE vec largest_scores(const float* scores, int first, int end) {
  vec top = load(scores + first * lanes);
  for (int n = first + 1; n < end; ++n) {
    top = max(top, load(scores + n * lanes));
  }
  return top;
}

/// The largest score of `seen`.
SLUICE_INLINE float largest_score(float* scores, const position_range& seen) {
  hide_unseen(scores, seen);
  const seen_vectors vectors(seen);
  return largest(vectors.all()
                     ? largest_scores(scores, 0, vectors.tile_vectors)
                     : largest_scores(scores, vectors.first, vectors.end));
}

SLUICE_INLINE vec exponentiate_vectors(float* scores, int first, int end,
                                       float largest, const float* scales) {
  vec total = set(0);
  for (int n = first; n < end; ++n) {
    float* const at = scores + n * lanes;
    const vec weight = exp(sub(load(at), set(largest)));
    total = add(total, weight);
    store(at,
          scales == nullptr ? weight : mul(weight, load(scales + n * lanes)));
  }
  return total;
}

/// Replaces each score of `seen` by exp(score - largest), multiplied by its
/// scale, if there are scales; returns their sums without the scales.
SLUICE_INLINE vec exponentiate(float* scores, const position_range& seen,
                               float largest, const float* scales) {
  const seen_vectors vectors(seen);
  return vectors.all() && scales == nullptr
             ? exponentiate_vectors(scores, 0, vectors.tile_vectors, largest,
                                    nullptr)
             : exponentiate_vectors(scores, vectors.first, vectors.end, largest,
                                    scales);
}

/// Turns the scores of a tile into the weights of its values, relative to the
/// largest score so far, for `count` queries of one kv head.
/// @param sums    of these queries are brought up to that score.
/// @param first   the first of them in `sums`.
/// @param scales  of the values, for i8.
SLUICE_INLINE void weigh_positions(tile_scratch& scratch, int count,
                                   span_sums& sums, int first,
                                   const float* scales) {
  alignas(64) float tops[most_queries];
  for (int i = 0; i < count; ++i) {
    const position_range& seen = scratch.seen[i];
    const float old = sums.largest[first + i];
    tops[i] = old;
    if (seen.first < seen.end) {
      const float top =
          largest_score(scratch.scores + i * tile_scratch::stride, seen);
      tops[i] = top > old ? top : old;
    }
  }
  for (int i = 0; i < count; i += lanes) {
    float* const old = sums.largest + first + i;
    const int left = count - i;
    const vec top = left < lanes ? load_some(tops + i, left) : load(tops + i);
    const vec before = left < lanes ? load_some(old, left) : load(old);
    const vec keep = exp(sub(before, top));
    if (left < lanes) {
      store_some(sums.keep + first + i, keep, left);
      store_some(old, top, left);
    } else {
      store(sums.keep + first + i, keep);
      store(old, top);
    }
  }
  for (int i = 0; i < count; ++i) {
    const position_range& seen = scratch.seen[i];
    if (seen.first < seen.end) {
      const vec total = exponentiate(scratch.scores + i * tile_scratch::stride,
                                     seen, tops[i], scales);
      float* weights = sums.weights + (first + i) * lanes;
      store(weights, fma(load(weights), set(sums.keep[first + i]), total));
    }
  }
}

} // namespace sluice::SLUICE_ISA

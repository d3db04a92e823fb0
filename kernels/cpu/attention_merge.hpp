// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_span.hpp"

// The result of a span merged into what came before.

namespace sluice::SLUICE_ISA {

/// The largest score of a span, and the sum of exp(score - largest).
struct span_softmax {
  float largest;
  float weight;
};

/// A query's result so far: values[i] = sum of weight * v[i].
struct running_sum {
  span_softmax state = {-__builtin_inff(), 0};
  float* values = nullptr; // [head_dim]
};

/// Factors of the running sum and of the one that joins it.
struct merge_factors {
  float keep;
  float take;
  bool fresh; // nothing came before
};

SLUICE_INLINE merge_factors merge(span_softmax& state,
                                  const span_softmax& next) {
  if (state.weight == 0) {
    state = next;
    return {0, 1, true};
  }
  const float joint =
      state.largest > next.largest ? state.largest : next.largest;
  const vec keep = exp(set(state.largest - joint));
  const vec take = exp(set(next.largest - joint));
  // All lanes are equal, so `largest` is any of them.
  const merge_factors factors{largest(keep), largest(take), false};
  state.weight = state.weight * factors.keep + next.weight * factors.take;
  state.largest = joint;
  return factors;
}

/// values = values * keep + sums * take for up to `lanes` elements.
SLUICE_INLINE void merge_values(float* values, std::int64_t left, vec sums,
                                const merge_factors& factors) {
  const auto count = static_cast<int>(left);
  if (!factors.fresh) {
    const vec old = left >= lanes ? load(values) : load_some(values, count);
    sums = fma(old, set(factors.keep), mul(sums, set(factors.take)));
  }
  left >= lanes ? store(values, sums) : store_some(values, sums, count);
}

/// Merges the sums of a span, which end in a whole vector, into `values`.
SLUICE_INLINE void merge_sums(float* values, const float* sums,
                              std::int64_t head_dim,
                              const merge_factors& factors) {
  for (std::int64_t i = 0; i < head_dim; i += lanes) {
    merge_values(values + i, head_dim - i, load(sums + i), factors);
  }
}

} // namespace sluice::SLUICE_ISA

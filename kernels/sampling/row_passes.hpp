// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"

#include <cstdint>

namespace sluice {

/// Neighbouring logits whose largest is kept apart, so that later passes can
/// leave out most of a row.
inline constexpr std::int64_t logit_block = 64;

inline std::int64_t logit_blocks(std::int64_t vocabulary) {
  return (vocabulary + logit_block - 1) / logit_block;
}

/// What one look at a row of logits tells.
struct row_survey {
  bool finite = false;  // neither NaN nor infinite anywhere
  bool ordered = false; // the same, but -infinity is allowed
  float top = 0;        // the largest, if ordered
};

/// A row with the largest logit of each of its blocks.
struct surveyed_row {
  const float* logits;  // [vocabulary]
  const float* largest; // [logit_blocks(vocabulary)]
  std::int64_t vocabulary;
  float temperature;
  bool forbids;               // a token, by -infinity
  std::int32_t top_token = 0; // the lowest id of the largest logit
  double top = 0;             // and that logit

  /// What the sampler compares: the largest logit becomes 0.
  float scaled(float logit) const {
    return static_cast<float>((logit - top) / temperature);
  }
};

/// A run of tokens that a draw looks at, and the best that it has found.
struct noise_search {
  sample_key key;
  std::int64_t first; // token, a multiple of noise_tokens
  std::int64_t count; // at most noise_tokens
  double best;        // largest scaled logit + noise so far
};

/// Tokens that one noise_search covers.
inline constexpr std::int64_t noise_tokens = 256;

/// The passes over whole rows, once per instruction set. They only say where
/// the few tokens are that matter; those are then looked at in one and the
/// same way everywhere, so no result depends on the instruction set.
struct row_passes {
  /// Fills largest [logit_blocks(count)] if the row is ordered.
  row_survey (*survey)(const float* logits, std::int64_t count, float* largest);

  /// The sum of exp(scaled(logit)) over the row, slowly.
  /// @return within a factor of 1 +- mass_error of the true sum.
  double (*mass)(const surveyed_row& row);

  /// The same over the logits below `limit`, quickly.
  /// @return within a factor of 1 +- rough_mass_error, and 1e-20.
  double (*rough_mass)(const surveyed_row& row, float limit);

  /// Finds the tokens whose scaled logit plus noise might reach `best`.
  /// @param out  [noise_tokens] receives them, ascending; one too many does
  ///             no harm, none that reaches `best` is left out.
  /// @return how many.
  std::int64_t (*rivals)(const surveyed_row& row, const noise_search& search,
                         std::int32_t* out);
};

inline constexpr double mass_error = 1e-11;
inline constexpr double rough_mass_error = 3e-5;

/// `sample` by these passes: the same result in all its bits.
sampled sample_with(const sample_args& args, const row_passes& passes);

} // namespace sluice

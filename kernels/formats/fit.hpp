// SPDX-License-Identifier: Apache-2.0
#pragma once

// Searches of the scale (and minimum) that a part of a block is stored with:
// weighted least squares for each of a few ways to round the quants. Sums run
// in a fixed order, so the same values give the same bytes everywhere.

#include <cstdint>
#include <span>

namespace sluice::formats {

/// The nearest integer, ties to even; |x| < 2^22.
inline float nearest(float x) {
  return (x + 0x1.8p23f) - 0x1.8p23f;
}

/// x = scale q - minimum, q in 0 .. levels.
struct affine_fit {
  float scale = 0;   ///< >= 0
  float minimum = 0; ///< >= 0
};

/// @param x        16 or 32 finite values.
/// @param weights  of the squared errors, >= 0, as many.
affine_fit fit_affine(std::span<const float> x, std::span<const float> weights,
                      int levels);

/// @return the scale of x = scale q, q in -levels .. levels - 1; of any sign,
///         0 if all of x is.
float fit_symmetric(std::span<const float> x, std::span<const float> weights,
                    int levels);

/// @return the scale of x = scale table[q], for iq4_values.
float fit_table(std::span<const float> x, std::span<const float> weights);

/// The index of the entry of iq4_values nearest to `value`.
int nearest_entry(float value);

} // namespace sluice::formats

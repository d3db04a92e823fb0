// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/simt.hpp"

#include <limits>

// The arithmetic of sampling. What decides between tokens has the same bits as
// on the CPU (kernels/sampling/): scaled logits, the noise's words, the order.

namespace sluice::cuda::sampling {

inline constexpr float forbidden = -std::numeric_limits<float>::infinity();

// -- order ------------------------------------------------------------------

/// A logit and its token in one number: the larger logit first, then the lower
/// id. No token has 0.
using rank_key = std::uint64_t;

/// Floats as integers of the same order; both zeros are equal.
SLUICE_DEVICE std::uint32_t ordered(float x) {
  constexpr std::uint32_t sign = 0x80000000u;
  const auto bits = x == 0 ? 0u : bits_of(x);
  return bits & sign ? ~bits : bits | sign;
}
SLUICE_DEVICE rank_key key_of(float logit, std::int32_t token) {
  return rank_key{ordered(logit)} << 32 | ~static_cast<std::uint32_t>(token);
}
SLUICE_DEVICE std::int32_t token_of(rank_key key) {
  return static_cast<std::int32_t>(~static_cast<std::uint32_t>(key));
}
SLUICE_DEVICE float logit_of(rank_key key) {
  constexpr std::uint32_t sign = 0x80000000u;
  const auto bits = static_cast<std::uint32_t>(key >> 32);
  return float_of(bits & sign ? bits ^ sign : ~bits);
}

// -- scaled logits ----------------------------------------------------------

/// (logit - top) / temperature in f64, rounded to f32, without a division: the
/// product with the inverse is within 2 units of the quotient's last place, so
/// only where that is near the middle of two floats is the quotient made. Two
/// corrections round it rightly, as f64 overflows and underflows nowhere here.
/// @source Markstein 1990, theorem 8.
struct scaling {
  double top;
  double temperature;
  double inverse;

  SLUICE_DEVICE scaling(float largest, float by)
      : top{largest}, temperature{by}, inverse{1.0 / double{by}} {}

  SLUICE_DEVICE float operator()(float logit) const {
    const double below = double{logit} - top;
    const double product = below * inverse;
    constexpr std::uint32_t middle = 1u << 28; // of the 29 bits that f32 lacks
    constexpr std::uint32_t reach = 8;
    const auto lost = low_bits(product) & (2 * middle - 1);
    const bool sure = lost - (middle - reach) > 2 * reach && product < -1e-36 &&
                      product > -1e38;
    return static_cast<float>(
        sure ? product : corrected(corrected(product, below), below));
  }

private:
  SLUICE_DEVICE double corrected(double quotient, double of) const {
    return fma(fma(-quotient, temperature, of), inverse, quotient);
  }
  static SLUICE_DEVICE std::uint32_t low_bits(double x) {
    std::uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return static_cast<std::uint32_t>(bits);
  }
};

// -- masses -----------------------------------------------------------------

/// e^x of x <= 0, within 2 units of the last place, the same bits everywhere.
/// @source Cephes, expf.
SLUICE_DEVICE float exp_f32(float x) {
  if (x < -86.0f)
    return 0;
  const auto n = round_to_int(multiply_alone(x, 1.44269504f));
  const auto whole = static_cast<float>(n);
  float r = fma(whole, -0.693359375f, x); // log 2 in two parts
  r = fma(whole, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = fma(p, r, 1.3981999507e-3f);
  p = fma(p, r, 8.3334519073e-3f);
  p = fma(p, r, 4.1665795894e-2f);
  p = fma(p, r, 1.6666665459e-1f);
  p = fma(p, r, 5.0000001201e-1f);
  const float y = fma(p, multiply_alone(r, r), r) + 1.0f;
  return float_of(bits_of(y) + (static_cast<std::uint32_t>(n) << 23));
}

/// exp(scaled) in units of 2^-43: sums of integers have no order.
using fixed_mass = std::uint64_t;
inline constexpr double mass_unit = 0x1p-43;

SLUICE_DEVICE fixed_mass mass_of(float scaled) {
  return static_cast<fixed_mass>(exp_f32(scaled) * 0x1p43f);
}

// -- noise ------------------------------------------------------------------

struct noise_key {
  std::uint32_t seed_low, seed_high, sequence, position;
};

/// philox() of the tokens 4 group .. 4 group + 3: a word of each.
/// @source Salmon et al. 2011, section 3.3 (Random123).
SLUICE_DEVICE words4 philox_of_group(const noise_key& key,
                                     std::uint32_t group) {
  words4 c{group, key.position, key.sequence, 0};
  std::uint32_t k0 = key.seed_low;
  std::uint32_t k1 = key.seed_high;
  SLUICE_UNROLL
  for (int round = 0; round < 10; ++round) {
    constexpr std::uint32_t m0 = 0xD2511F53u;
    constexpr std::uint32_t m1 = 0xCD9E8D57u;
    c = {multiply_high(m1, c.z) ^ c.y ^ k0, m1 * c.z,
         multiply_high(m0, c.x) ^ c.w ^ k1, m0 * c.x};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

SLUICE_DEVICE std::uint32_t word_of(const noise_key& key, std::int32_t token) {
  const auto id = static_cast<std::uint32_t>(token);
  const words4 all = philox_of_group(key, id / 4);
  switch (id % 4) {
  case 0:
    return all.x;
  case 1:
    return all.y;
  case 2:
    return all.z;
  default:
    return all.w;
  }
}

/// Scaled logit + Gumbel noise, as the CPU computes it.
SLUICE_DEVICE double value_of(float scaled, std::uint32_t word) {
  const double u = (word + 0.5) * 0x1p-32;
  return scaled + -log_double(-log_double(u));
}

/// At least that, up to the rounding that may_reach() allows for:
/// -log(u) >= 1 - u.
SLUICE_DEVICE float bound_of(float scaled, std::uint32_t word) {
  const float rest = (static_cast<float>(~word) + 0.5f) * 0x1p-32f; // 1 - u
  return scaled - log_fast(rest);
}
SLUICE_DEVICE bool may_reach(float bound, double best) {
  const auto least = static_cast<float>(best);
  const float magnitude = least < 0 ? -least : least;
  return bound >= least - (1e-3f + 1e-5f * magnitude);
}

} // namespace sluice::cuda::sampling

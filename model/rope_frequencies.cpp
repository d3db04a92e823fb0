// SPDX-License-Identifier: Apache-2.0
#include "model/architecture.hpp"

#include "kernels/check.hpp"

#include <cmath>
#include <numbers>

namespace sluice {

namespace {

/// Slow rotations are stretched by the factor, fast ones are kept, and those
/// between are blended.
double llama3_frequency(const rope_description& rope, double frequency) {
  const double turns =
      rope.original_context * frequency / (2 * std::numbers::pi);
  if (turns < rope.low_frequency_factor)
    return frequency / rope.factor;
  if (turns > rope.high_frequency_factor)
    return frequency;
  const double kept = (turns - rope.low_frequency_factor) /
                      (rope.high_frequency_factor - rope.low_frequency_factor);
  return (1 - kept) * frequency / rope.factor + kept * frequency;
}

double scaled(const rope_description& rope, double frequency) {
  switch (rope.scaling) {
  case rope_scaling::linear:
    return frequency / rope.factor;
  case rope_scaling::llama3:
    return llama3_frequency(rope, frequency);
  case rope_scaling::none:
    break;
  }
  return frequency;
}

} // namespace

std::vector<float> rope_frequencies(const rope_description& rope,
                                    std::span<const float> divisors) {
  const std::size_t pairs = rope.rotary_dim / 2;
  require(divisors.empty() || divisors.size() == pairs,
          "rope_frequencies: divisors need rotary_dim / 2 entries; pass "
          "weights.rope_divisors");
  std::vector<float> frequencies(pairs);
  for (std::size_t i = 0; i < pairs; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / rope.rotary_dim;
    const double plain = std::pow(rope.theta, -exponent);
    const double divisor = divisors.empty() ? 1 : divisors[i];
    frequencies[i] = static_cast<float>(scaled(rope, plain) / divisor);
  }
  return frequencies;
}

} // namespace sluice

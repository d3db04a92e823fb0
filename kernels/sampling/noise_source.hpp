// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"

#include <limits>

namespace sluice {

/// `gumbel_noise` of one key for many tokens: neighbouring ids share a call
/// of the generator, and most tokens need only a bound.
class noise_source {
public:
  explicit noise_source(const sample_key& key);

  /// gumbel_noise(key, token).
  double noise(std::int32_t token);

  /// An upper bound of the noise that needs no logarithm.
  double bound(std::int32_t token);

private:
  std::uint32_t word(std::int32_t token);

  sample_key key_;
  std::uint32_t block_ = std::numeric_limits<std::uint32_t>::max(); // none
  std::array<std::uint32_t, 4> words_{};
};

} // namespace sluice

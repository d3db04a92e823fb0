// SPDX-License-Identifier: Apache-2.0
#include "kernels/sampling.hpp"

#include <cmath>

namespace sluice {

namespace {

using counter_words = std::array<std::uint32_t, 4>;
using key_words = std::array<std::uint32_t, 2>;

std::uint32_t high(std::uint64_t product) {
  return static_cast<std::uint32_t>(product >> 32);
}

std::uint32_t low(std::uint64_t product) {
  return static_cast<std::uint32_t>(product);
}

counter_words philox_round(const counter_words& c, const key_words& k) {
  const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0];
  const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c[2];
  return {high(b) ^ c[1] ^ k[0], low(b), high(a) ^ c[3] ^ k[1], low(a)};
}

} // namespace

counter_words philox(counter_words counter, key_words key) {
  for (int round = 0; round < 10; ++round) {
    counter = philox_round(counter, key);
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

double gumbel_noise(const sample_key& key, std::int32_t token) {
  const auto id = static_cast<std::uint32_t>(token);
  const counter_words words = philox({id / 4, key.position, key.sequence, 0},
                                     {low(key.seed), high(key.seed)});
  const double u = (words[id % 4] + 0.5) * 0x1p-32;
  return -std::log(-std::log(u));
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "kernels/sampling/noise_source.hpp"

#include <bit>
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
  return noise_source(key).noise(token);
}

noise_source::noise_source(const sample_key& key) : key_(key) {}

std::uint32_t noise_source::word(std::int32_t token) {
  const auto id = static_cast<std::uint32_t>(token);
  if (id / 4 != block_) {
    block_ = id / 4;
    words_ = philox({block_, key_.position, key_.sequence, 0},
                    {low(key_.seed), high(key_.seed)});
  }
  return words_[id % 4];
}

double noise_source::noise(std::int32_t token) {
  const double u = (word(token) + 0.5) * 0x1p-32;
  return -std::log(-std::log(u));
}

// -log(u) >= 1 - u, so the noise is at most -log(1 - u). With z leading zeros
// in the inverted word, 1 - u >= 2^-(z + 1).
double noise_source::bound(std::int32_t token) {
  constexpr double log_two = 0.69315; // rounded up
  return (std::countl_zero(~word(token)) + 1) * log_two;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
// Probes in plain C++: what the compiler makes of it for the baseline CPU.
#include "tools/bench/roofline/probes.hpp"

#include <cstring>

namespace sluice::bench::portable {
namespace {

constexpr int accumulators = 8;
constexpr int lanes = 8;

std::uint64_t read(const std::byte* data, std::size_t bytes,
                   read_pattern pattern) {
  std::uint64_t sums[8] = {};
  for (std::size_t at = 0; at < bytes; at += 64) {
    if (pattern.prefetch > 0)
      __builtin_prefetch(data + at + pattern.prefetch);
    std::uint64_t words[8];
    std::memcpy(words, data + at, sizeof words);
    for (int i = 0; i < 8; ++i)
      sums[i] ^= words[i];
  }
  std::uint64_t all = 0;
  for (const auto sum : sums)
    all ^= sum;
  return all;
}

// Products of 16-bit halves, added in pairs: the widest exact integer step
// that a compiler finds for the baseline.
std::uint64_t multiply_integers(std::int64_t turns) {
  alignas(64) std::int32_t sums[accumulators][lanes] = {};
  alignas(64) std::int16_t a[lanes * 2], b[lanes * 2];
  for (int i = 0; i < lanes * 2; ++i) {
    a[i] = static_cast<std::int16_t>(i + 1);
    b[i] = static_cast<std::int16_t>(3 - i);
  }
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    asm volatile("" : : "r"(a), "r"(b) : "memory");
    for (auto& sum : sums)
      for (int i = 0; i < lanes; ++i)
        sum[i] += a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
  }
  return static_cast<std::uint64_t>(sums[0][0] + sums[accumulators - 1][1]);
}

std::uint64_t multiply_floats(std::int64_t turns) {
  alignas(64) float sums[accumulators][lanes] = {};
  float factor = 0.5f;
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    asm volatile("" : "+m"(factor));
    for (auto& sum : sums)
      for (int i = 0; i < lanes; ++i)
        sum[i] = sum[i] * factor + 1.0f;
  }
  return static_cast<std::uint64_t>(sums[0][0] + sums[accumulators - 1][1]);
}

} // namespace

probe_set probes() {
  return {
      .read = read,
      .int8 = {"integers in C++", accumulators * lanes * 4.0,
               multiply_integers},
      .bf16 = {},
      .f32 = {"floats in C++", accumulators * lanes * 2.0, multiply_floats}};
}

} // namespace sluice::bench::portable

// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/probe.hpp"

#include "kernels/cuda/launch.hpp"

#include <algorithm>

namespace sluice::cuda {
namespace {

constexpr int read_threads = 256;
constexpr int loads_at_once = 8;
constexpr int product_threads = 256;
constexpr int sums_at_once = 8; // of a warp, so that none waits for another

SLUICE_KERNEL(read_threads)
read_kernel(const words4* from, std::int64_t count, std::uint32_t* sink) {
  std::uint32_t all = 0;
  const std::int64_t step = std::int64_t{grid_x()} * threads();
  std::int64_t at = std::int64_t{block_x()} * threads() + thread();
  for (; at + (loads_at_once - 1) * step < count; at += loads_at_once * step) {
    words4 loaded[loads_at_once];
    SLUICE_UNROLL
    for (int i = 0; i < loads_at_once; ++i)
      loaded[i] = load_streaming(from + at + i * step);
    SLUICE_UNROLL
    for (int i = 0; i < loads_at_once; ++i)
      all |= loaded[i].x | loaded[i].y | loaded[i].z | loaded[i].w;
  }
  for (; at < count; at += step)
    all |= load_streaming(from + at).x;
  if (all == 0x5eed5eedu) // hardly ever, and nobody may know
    *sink = all;
}

SLUICE_KERNEL(product_threads) bf16_kernel(int rounds, std::uint32_t* sink) {
  float sums[sums_at_once][4] = {};
  const auto word = static_cast<std::uint32_t>(thread());
  const std::uint32_t a[4] = {word, word + 1, word + 2, word + 3};
  const std::uint32_t b[2] = {word, word + 5};
  for (int round = 0; round < rounds; ++round) {
    SLUICE_UNROLL
    for (int i = 0; i < sums_at_once; ++i)
      multiply_bf16(sums[i], a, b);
  }
  float all = 0;
  for (int i = 0; i < sums_at_once; ++i)
    all += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
  if (all == 1.2345e-3f)
    *sink = bits_of(all);
}

SLUICE_KERNEL(product_threads) int8_kernel(int rounds, std::uint32_t* sink) {
  std::int32_t sums[sums_at_once][4] = {};
  const auto word = static_cast<std::uint32_t>(thread());
  const std::uint32_t a[4] = {word, word + 1, word + 2, word + 3};
  const std::uint32_t b[2] = {word, word + 5};
  for (int round = 0; round < rounds; ++round) {
    SLUICE_UNROLL
    for (int i = 0; i < sums_at_once; ++i)
      multiply_s8(sums[i], a, b);
  }
  std::int32_t all = 0;
  for (int i = 0; i < sums_at_once; ++i)
    all += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
  if (all == 0x5eed)
    *sink = static_cast<std::uint32_t>(all);
}

} // namespace

void read_probe(const std::byte* from, std::uint64_t bytes, std::uint32_t* sink,
                stream& in) {
  constexpr std::uint64_t most_blocks = 132 * 8;
  const auto count = bytes / sizeof(words4);
  const auto blocks = std::clamp<std::uint64_t>(
      count / (std::uint64_t{read_threads} * loads_at_once), 1, most_blocks);
  launch(
      in,
      {.grid_x = static_cast<std::uint32_t>(blocks), .threads = read_threads},
      read_kernel, reinterpret_cast<const words4*>(from),
      static_cast<std::int64_t>(count), sink);
}

double product_probe(product_kind kind, int processors, int rounds,
                     std::uint32_t* sink, stream& in) {
  const bool whole = kind == product_kind::int8;
  const auto blocks = static_cast<std::uint32_t>(2 * processors);
  launch(in, {.grid_x = blocks, .threads = product_threads},
         whole ? int8_kernel : bf16_kernel, rounds, sink);
  const double each = 2.0 * 16 * 8 * (whole ? 32 : 16);
  return each * sums_at_once * rounds * blocks * (product_threads / warp_lanes);
}

} // namespace sluice::cuda

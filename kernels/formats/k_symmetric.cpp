// SPDX-License-Identifier: Apache-2.0
// Super-blocks with a signed scale for each part of 16: q3_k, q6_k.
#include "kernels/convert.hpp"
#include "kernels/formats/block_codec.hpp"
#include "kernels/formats/fit.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::formats {

namespace {

constexpr int super_block = 256;
constexpr int part_elements = 16;
constexpr int parts = super_block / part_elements;

/// A super-block before its bits are packed.
struct symmetric_block {
  std::uint16_t d = 0; ///< half
  int scales[parts] = {};
  int quants[super_block] = {}; ///< offset: 0 .. 2 levels - 1
};

int rounded(float value, int levels) {
  const auto top = static_cast<float>(levels);
  return static_cast<int>(nearest(std::clamp(value, -top, top - 1)));
}

/// Quants of -levels .. levels - 1, scales of -scale_levels ..
/// scale_levels - 1, of which the largest part takes the lowest.
symmetric_block quantise(const float* in, int levels, int scale_levels) {
  symmetric_block block;
  float scales[parts], weights[part_elements];
  float most = 0;
  for (int part = 0; part < parts; ++part) {
    const std::span x(in + part * part_elements, part_elements);
    for (int i = 0; i < part_elements; ++i)
      weights[i] = x[i] * x[i];
    scales[part] = fit_symmetric(x, weights, levels);
    most = std::fabs(scales[part]) > std::fabs(most) ? scales[part] : most;
  }
  block.d = f32_to_f16(most / static_cast<float>(-scale_levels));
  const float d = f16_to_f32(block.d);
  for (int part = 0; part < parts; ++part)
    block.scales[part] = d != 0 ? rounded(scales[part] / d, scale_levels) : 0;
  for (int i = 0; i < super_block; ++i) {
    const float scale = d * static_cast<float>(block.scales[i / part_elements]);
    block.quants[i] =
        levels + (scale != 0 ? rounded(in[i] / scale, levels) : 0);
  }
  return block;
}

// Bytes 0-7 hold the lower 4 bits of scales 0-7 and, above them, of 8-15;
// byte 8 + j the upper 2 bits of scales j, j + 4, j + 8, j + 12.
int q3_k_scale(const std::byte* packed, int part) {
  const int low = std::to_integer<int>(packed[part % 8]) >> part / 8 * 4 & 15;
  const int high =
      std::to_integer<int>(packed[8 + part % 4]) >> part / 4 * 2 & 3;
  return (low | high << 4) - 32;
}

void expand_q3_k(const std::byte* from, float* out) {
  const std::byte* quants = from + 32;
  const float d = f16_to_f32(load_u16(from + 108));
  for (int i = 0; i < super_block; ++i) {
    const float scale =
        d * static_cast<float>(q3_k_scale(from + 96, i / part_elements));
    const int byte = i / 128 * 32 + i % 32, shift = i % 128 / 32 * 2;
    const int low = std::to_integer<int>(quants[byte]) >> shift & 3;
    const int high = std::to_integer<int>(from[i % 32]) >> i / 32 & 1;
    out[i] = scale * static_cast<float>((low | high << 2) - 4);
  }
}

void pack_q3_k(const float* in, std::byte* to) {
  const auto block = quantise(in, 4, 32);
  for (int i = 0; i < 32; ++i) {
    int high = 0;
    for (int part = 0; part < 8; ++part)
      high |= block.quants[part * 32 + i] >> 2 << part;
    to[i] = static_cast<std::byte>(high);
  }
  for (int i = 0; i < 64; ++i) {
    const int* q = block.quants + i / 32 * 128 + i % 32;
    to[32 + i] = static_cast<std::byte>((q[0] & 3) | (q[32] & 3) << 2 |
                                        (q[64] & 3) << 4 | (q[96] & 3) << 6);
  }
  const auto scale = [&](int part) { return block.scales[part] + 32; };
  for (int i = 0; i < 8; ++i)
    to[96 + i] =
        static_cast<std::byte>((scale(i) & 15) | (scale(i + 8) & 15) << 4);
  for (int i = 0; i < 4; ++i)
    to[104 + i] = static_cast<std::byte>(
        scale(i) >> 4 | scale(i + 4) >> 4 << 2 | scale(i + 8) >> 4 << 4 |
        scale(i + 12) >> 4 << 6);
  store_u16(to + 108, block.d);
}

void expand_q6_k(const std::byte* from, float* out) {
  const float d = f16_to_f32(load_u16(from + 208));
  for (int i = 0; i < super_block; ++i) {
    const int half = i / 128, group = i % 128 / 32, l = i % 32;
    const std::byte low = from[half * 64 + l + 32 * (group % 2)];
    const std::byte high = from[128 + half * 32 + l];
    const int q = (std::to_integer<int>(low) >> group / 2 * 4 & 15) |
                  (std::to_integer<int>(high) >> group * 2 & 3) << 4;
    const auto part = static_cast<std::int8_t>(from[192 + i / part_elements]);
    out[i] = d * static_cast<float>(part) * static_cast<float>(q - 32);
  }
}

void pack_q6_k(const float* in, std::byte* to) {
  const auto block = quantise(in, 32, 128);
  for (int i = 0; i < 128; ++i) { // elements 64 apart share a byte
    const int* q = block.quants + i / 64 * 128 + i % 64;
    to[i] = static_cast<std::byte>((q[0] & 15) | (q[64] & 15) << 4);
  }
  for (int i = 0; i < 64; ++i) {
    const int* q = block.quants + i / 32 * 128 + i % 32;
    to[128 + i] = static_cast<std::byte>(q[0] >> 4 | q[32] >> 4 << 2 |
                                         q[64] >> 4 << 4 | q[96] >> 4 << 6);
  }
  for (int part = 0; part < parts; ++part)
    to[192 + part] = static_cast<std::byte>(block.scales[part]);
  store_u16(to + 208, block.d);
}

} // namespace

const block_codec q3_k{expand_q3_k, pack_q3_k};
const block_codec q6_k{expand_q6_k, pack_q6_k};

} // namespace sluice::formats

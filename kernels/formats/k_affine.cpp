// SPDX-License-Identifier: Apache-2.0
// Super-blocks with a scale and a minimum for each part: q2_k, q4_k, q5_k.
#include "kernels/convert.hpp"
#include "kernels/formats/block_codec.hpp"
#include "kernels/formats/fit.hpp"
#include "kernels/formats/six_bits.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::formats {

namespace {

constexpr int super_block = 256;

/// A super-block before its bits are packed.
struct affine_block {
  std::uint16_t d = 0;    ///< half
  std::uint16_t dmin = 0; ///< half
  int scales[16] = {};
  int minima[16] = {};
  int quants[super_block] = {};
};

struct affine_form {
  int part;         ///< elements that share a scale
  int levels;       ///< largest quant
  int scale_levels; ///< largest scale and minimum
};

// Large elements count more, but no element counts for nothing.
void error_weights(std::span<const float> x, float* weights) {
  double squares = 0;
  for (const float value : x)
    squares += double{value} * value;
  const auto typical =
      static_cast<float>(std::sqrt(squares / static_cast<double>(x.size())));
  for (std::size_t i = 0; i < x.size(); ++i)
    weights[i] = typical + std::fabs(x[i]);
}

int rounded(float value, int levels) {
  return static_cast<int>(
      nearest(std::clamp(value, 0.0f, static_cast<float>(levels))));
}

// Rounds the parts' values to multiples of one half and gives that half.
std::uint16_t share(const float* values, int* out, int parts, int levels) {
  const float most = *std::max_element(values, values + parts);
  const auto unit = f32_to_f16(most / static_cast<float>(levels));
  const float d = f16_to_f32(unit);
  for (int i = 0; i < parts; ++i)
    out[i] = d > 0 ? rounded(values[i] / d, levels) : 0;
  return unit;
}

affine_block quantise(const float* in, const affine_form& form) {
  affine_block block;
  const int parts = super_block / form.part;
  const auto width = static_cast<std::size_t>(form.part);
  float scales[16], minima[16], weights[32];
  for (int i = 0; i < parts; ++i) {
    const std::span x(in + i * form.part, width);
    error_weights(x, weights);
    const auto fit = fit_affine(x, {weights, width}, form.levels);
    scales[i] = fit.scale;
    minima[i] = fit.minimum;
  }
  block.d = share(scales, block.scales, parts, form.scale_levels);
  block.dmin = share(minima, block.minima, parts, form.scale_levels);
  for (int i = 0; i < super_block; ++i) {
    const int part = i / form.part;
    const float scale =
        f16_to_f32(block.d) * static_cast<float>(block.scales[part]);
    const float minimum =
        f16_to_f32(block.dmin) * static_cast<float>(block.minima[part]);
    block.quants[i] =
        scale > 0 ? rounded((in[i] + minimum) / scale, form.levels) : 0;
  }
  return block;
}

void expand_q2_k(const std::byte* from, float* out) {
  const std::byte* quants = from + 16;
  const float d = f16_to_f32(load_u16(from + 80));
  const float dmin = f16_to_f32(load_u16(from + 82));
  for (int i = 0; i < super_block; ++i) {
    const int pair = std::to_integer<int>(from[i / 16]);
    const int byte = i / 128 * 32 + i % 32, shift = i % 128 / 32 * 2;
    const int q = std::to_integer<int>(quants[byte]) >> shift & 3;
    const float scale = d * static_cast<float>(pair & 15);
    const float minimum = dmin * static_cast<float>(pair >> 4);
    out[i] = scale * static_cast<float>(q) - minimum;
  }
}

void pack_q2_k(const float* in, std::byte* to) {
  const auto block =
      quantise(in, {.part = 16, .levels = 3, .scale_levels = 15});
  for (int i = 0; i < 16; ++i)
    to[i] = static_cast<std::byte>(block.scales[i] | block.minima[i] << 4);
  for (int i = 0; i < 64; ++i) {
    const int* q = block.quants + i / 32 * 128 + i % 32;
    to[16 + i] =
        static_cast<std::byte>(q[0] | q[32] << 2 | q[64] << 4 | q[96] << 6);
  }
  store_u16(to + 80, block.d);
  store_u16(to + 82, block.dmin);
}

// q4_k and q5_k differ by the fifth bits that lie before q5_k's quants.
template <int bits>
void expand_six_bits(const std::byte* from, float* out) {
  constexpr int quants_at = bits == 5 ? 48 : 16;
  const float d = f16_to_f32(load_u16(from));
  const float dmin = f16_to_f32(load_u16(from + 2));
  for (int part = 0; part < 8; ++part) {
    const float scale = d * static_cast<float>(six_bit_scale(from + 4, part));
    const float minimum =
        dmin * static_cast<float>(six_bit_minimum(from + 4, part));
    const std::byte* run = from + quants_at + part / 2 * 32;
    for (int l = 0; l < 32; ++l) {
      int q = std::to_integer<int>(run[l]) >> part % 2 * 4 & 15;
      if constexpr (bits == 5)
        q |= (std::to_integer<int>(from[16 + l]) >> part & 1) << 4;
      out[part * 32 + l] = scale * static_cast<float>(q) - minimum;
    }
  }
}

template <int bits>
void pack_six_bits(const float* in, std::byte* to) {
  const auto block =
      quantise(in, {.part = 32, .levels = (1 << bits) - 1, .scale_levels = 63});
  store_u16(to, block.d);
  store_u16(to + 2, block.dmin);
  store_six_bits(block.scales, block.minima, to + 4);
  to += 16;
  if constexpr (bits == 5) {
    for (int l = 0; l < 32; ++l) {
      int fifth = 0;
      for (int part = 0; part < 8; ++part)
        fifth |= block.quants[part * 32 + l] >> 4 << part;
      to[l] = static_cast<std::byte>(fifth);
    }
    to += 32;
  }
  for (int i = 0; i < 128; ++i) {
    const int* q = block.quants + i / 32 * 64 + i % 32;
    to[i] = static_cast<std::byte>((q[0] & 15) | (q[32] & 15) << 4);
  }
}

} // namespace

const block_codec q2_k{expand_q2_k, pack_q2_k};
const block_codec q4_k{expand_six_bits<4>, pack_six_bits<4>};
const block_codec q5_k{expand_six_bits<5>, pack_six_bits<5>};

} // namespace sluice::formats

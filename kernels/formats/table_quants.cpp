// SPDX-License-Identifier: Apache-2.0
// Quants that number the entries of a table: iq4_nl, iq4_xs, mxfp4.
#include "kernels/convert.hpp"
#include "kernels/formats/block_codec.hpp"
#include "kernels/formats/fit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sluice::formats {

namespace {

constexpr int block = 32;
constexpr int parts = 8;

void expand_nibbles(const std::byte* from, float scale,
                    const std::int8_t* table, float* out) {
  for (int i = 0; i < block / 2; ++i) {
    const int pair = std::to_integer<int>(from[i]);
    out[i] = scale * static_cast<float>(table[pair & 15]);
    out[i + block / 2] = scale * static_cast<float>(table[pair >> 4]);
  }
}

template <class Index>
void pack_nibbles(const float* in, std::byte* to, Index index) {
  for (int i = 0; i < block / 2; ++i)
    to[i] =
        static_cast<std::byte>(index(in[i]) | index(in[i + block / 2]) << 4);
}

float fit(const float* in) {
  float weights[block];
  for (int i = 0; i < block; ++i)
    weights[i] = in[i] * in[i];
  return fit_table({in, block}, weights);
}

void pack_iq4_quants(const float* in, float scale, std::byte* to) {
  pack_nibbles(in, to, [=](float x) {
    return nearest_entry(scale != 0 ? x / scale : 0);
  });
}

void expand_iq4_nl(const std::byte* from, float* out) {
  expand_nibbles(from + 2, f16_to_f32(load_u16(from)), iq4_values, out);
}

void pack_iq4_nl(const float* in, std::byte* to) {
  const auto d = f32_to_f16(fit(in));
  store_u16(to, d);
  pack_iq4_quants(in, f16_to_f32(d), to + 2);
}

void expand_iq4_xs(const std::byte* from, float* out) {
  const float d = f16_to_f32(load_u16(from));
  const int high = load_u16(from + 2);
  for (int part = 0; part < parts; ++part) {
    const int low =
        std::to_integer<int>(from[4 + part / 2]) >> part % 2 * 4 & 15;
    const int scale = (low | (high >> part * 2 & 3) << 4) - 32;
    expand_nibbles(from + 8 + part * 16, d * static_cast<float>(scale),
                   iq4_values, out + part * block);
  }
}

void pack_iq4_xs(const float* in, std::byte* to) {
  float scales[parts];
  float most = 0;
  for (int part = 0; part < parts; ++part) {
    scales[part] = fit(in + part * block);
    most = std::fabs(scales[part]) > std::fabs(most) ? scales[part] : most;
  }
  const auto unit = f32_to_f16(most / -32);
  const float d = f16_to_f32(unit);
  int low[4] = {}, high = 0;
  for (int part = 0; part < parts; ++part) {
    const float wanted = d != 0 ? scales[part] / d : 0;
    const int scale =
        static_cast<int>(nearest(std::clamp(wanted, -32.0f, 31.0f)));
    low[part / 2] |= ((scale + 32) & 15) << part % 2 * 4;
    high |= (scale + 32) >> 4 << part * 2;
    pack_iq4_quants(in + part * block, d * static_cast<float>(scale),
                    to + 8 + part * 16);
  }
  store_u16(to, unit);
  store_u16(to + 2, static_cast<std::uint16_t>(high));
  for (int i = 0; i < 4; ++i)
    to[4 + i] = static_cast<std::byte>(low[i]);
}

// 2^(exponent - 128), which is subnormal for 0 and 1.
float mxfp4_scale(int exponent) {
  const auto bits = static_cast<std::uint32_t>(exponent);
  return std::bit_cast<float>(exponent < 2 ? 0x00200000u << bits
                                           : (bits - 1) << 23);
}

// The nearest entry of the table; of two, the one with the even quant.
int mxfp4_quant(float value) {
  constexpr float ends[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10};
  const float size = std::fabs(value);
  int q = 0;
  for (int i = 0; i < 7; ++i)
    q += i % 2 == 0 ? size > ends[i] : size >= ends[i];
  return q > 0 && value < 0 ? q + 8 : q;
}

double mxfp4_error(const float* in, int exponent) {
  const float scale = mxfp4_scale(exponent);
  double sum = 0;
  for (int i = 0; i < block; ++i) {
    const auto entry =
        static_cast<float>(mxfp4_values[mxfp4_quant(in[i] / scale)]);
    const double error = double{scale} * entry - in[i];
    sum += error * error;
  }
  return sum;
}

void expand_mxfp4(const std::byte* from, float* out) {
  expand_nibbles(from + 1, mxfp4_scale(std::to_integer<int>(from[0])),
                 mxfp4_values, out);
}

// The power that puts the largest magnitude into the table's top octave, or
// the next one, whichever errs less.
void pack_mxfp4(const float* in, std::byte* to) {
  float most = 0;
  for (int i = 0; i < block; ++i)
    most = std::max(most, std::fabs(in[i]));
  int exponent = 0;
  if (std::isnormal(most)) {
    exponent = std::clamp(std::ilogb(most) + 125, 2, 253);
    if (mxfp4_error(in, exponent + 1) < mxfp4_error(in, exponent))
      ++exponent;
  }
  to[0] = static_cast<std::byte>(exponent);
  const float scale = mxfp4_scale(exponent);
  pack_nibbles(in, to + 1, [=](float x) { return mxfp4_quant(x / scale); });
}

} // namespace

const block_codec iq4_nl{expand_iq4_nl, pack_iq4_nl};
const block_codec iq4_xs{expand_iq4_xs, pack_iq4_xs};
const block_codec mxfp4{expand_mxfp4, pack_mxfp4};

} // namespace sluice::formats

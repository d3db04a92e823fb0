// SPDX-License-Identifier: Apache-2.0
// Blocks of 32 with one scale: q8_0, q4_0, q4_1, q5_0, q5_1. The encoders take
// the published encoders' steps, so that their bytes are met.
#include "kernels/convert.hpp"
#include "kernels/formats/block_codec.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::formats {

namespace {

constexpr int half_block = 16;
constexpr int block = 32;

float load_half(const std::byte* data) {
  return f16_to_f32(load_u16(data));
}

int low_nibble(std::byte pair) {
  return std::to_integer<int>(pair) & 15;
}

int high_nibble(std::byte pair) {
  return std::to_integer<int>(pair) >> 4;
}

// A subnormal scale may be 0 in f16 and has no finite inverse.
float inverse_of(float scale) {
  return std::isnormal(scale) ? 1 / scale : 0.0f;
}

// The element of largest magnitude, with its sign; the first of equals.
float extreme(const float* in) {
  float found = 0;
  for (int i = 0; i < block; ++i)
    found = std::fabs(in[i]) > std::fabs(found) ? in[i] : found;
  return found;
}

std::uint32_t load_bits(const std::byte* data) {
  std::uint32_t bits;
  std::memcpy(&bits, data, sizeof bits);
  return bits;
}

int fifth_bit(std::uint32_t bits, int i) {
  return static_cast<int>(bits >> i & 1) << 4;
}

// Quants of `bits` bits: round(x * inverse + offset), ties up.
template <int bits>
int quant(float x, float inverse, float offset) {
  const auto q = static_cast<int>(std::floor(x * inverse + offset + 0.5f));
  return std::clamp(q, 0, (1 << bits) - 1);
}

// Writes 32 quants as nibbles[16], the fifth bits in front where there are.
template <int bits>
void store_quants(const int* q, std::byte* out) {
  if constexpr (bits == 5) {
    std::uint32_t fifth = 0;
    for (int i = 0; i < block; ++i)
      fifth |= static_cast<std::uint32_t>(q[i] >> 4) << i;
    std::memcpy(out, &fifth, sizeof fifth);
    out += sizeof fifth;
  }
  for (int i = 0; i < half_block; ++i)
    out[i] =
        static_cast<std::byte>((q[i] & 15) | (q[i + half_block] & 15) << 4);
}

template <int bits>
void pack_centred(const float* in, std::byte* to) {
  constexpr int centre = 1 << (bits - 1);
  const float scale = extreme(in) / -centre;
  const float inverse = inverse_of(scale);
  int q[block];
  for (int i = 0; i < block; ++i)
    q[i] = quant<bits>(in[i], inverse, centre);
  store_u16(to, f32_to_f16(scale));
  store_quants<bits>(q, to + 2);
}

template <int bits>
void pack_affine(const float* in, std::byte* to) {
  const auto [low, high] = std::minmax_element(in, in + block);
  const float minimum = *low;
  const float scale = (*high - minimum) / ((1 << bits) - 1);
  const float inverse = inverse_of(scale);
  int q[block];
  for (int i = 0; i < block; ++i)
    q[i] = quant<bits>(in[i] - minimum, inverse, 0);
  store_u16(to, f32_to_f16(scale));
  store_u16(to + 2, f32_to_f16(minimum));
  store_quants<bits>(q, to + 4);
}

void expand_q8_0(const std::byte* from, float* out) {
  const float scale = load_half(from);
  for (int i = 0; i < block; ++i)
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(from[2 + i]));
}

void pack_q8_0(const float* in, std::byte* to) {
  const float scale = std::fabs(extreme(in)) / 127.0f;
  const float inverse = inverse_of(scale);
  store_u16(to, f32_to_f16(scale));
  for (int i = 0; i < block; ++i)
    to[2 + i] =
        static_cast<std::byte>(static_cast<int>(std::round(in[i] * inverse)));
}

void expand_q4_0(const std::byte* from, float* out) {
  const float scale = load_half(from);
  for (int i = 0; i < half_block; ++i) {
    out[i] = scale * static_cast<float>(low_nibble(from[2 + i]) - 8);
    out[i + half_block] =
        scale * static_cast<float>(high_nibble(from[2 + i]) - 8);
  }
}

void expand_q4_1(const std::byte* from, float* out) {
  const float scale = load_half(from), minimum = load_half(from + 2);
  for (int i = 0; i < half_block; ++i) {
    out[i] = scale * static_cast<float>(low_nibble(from[4 + i])) + minimum;
    out[i + half_block] =
        scale * static_cast<float>(high_nibble(from[4 + i])) + minimum;
  }
}

void expand_q5_0(const std::byte* from, float* out) {
  const float scale = load_half(from);
  const auto fifth = load_bits(from + 2);
  for (int i = 0; i < half_block; ++i) {
    const int low = low_nibble(from[6 + i]) | fifth_bit(fifth, i);
    const int high =
        high_nibble(from[6 + i]) | fifth_bit(fifth, i + half_block);
    out[i] = scale * static_cast<float>(low - 16);
    out[i + half_block] = scale * static_cast<float>(high - 16);
  }
}

void expand_q5_1(const std::byte* from, float* out) {
  const float scale = load_half(from), minimum = load_half(from + 2);
  const auto fifth = load_bits(from + 4);
  for (int i = 0; i < half_block; ++i) {
    const int low = low_nibble(from[8 + i]) | fifth_bit(fifth, i);
    const int high =
        high_nibble(from[8 + i]) | fifth_bit(fifth, i + half_block);
    out[i] = scale * static_cast<float>(low) + minimum;
    out[i + half_block] = scale * static_cast<float>(high) + minimum;
  }
}

} // namespace

const block_codec q8_0{expand_q8_0, pack_q8_0};
const block_codec q4_0{expand_q4_0, pack_centred<4>};
const block_codec q4_1{expand_q4_1, pack_affine<4>};
const block_codec q5_0{expand_q5_0, pack_centred<5>};
const block_codec q5_1{expand_q5_1, pack_affine<5>};

} // namespace sluice::formats

// SPDX-License-Identifier: Apache-2.0
#include "kernels/convert.hpp"

#include "kernels/check.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace sluice {

namespace {

constexpr std::int64_t quant_block = 32;

std::uint16_t load_u16(const std::byte* data) {
  std::uint16_t bits;
  std::memcpy(&bits, data, sizeof bits);
  return bits;
}

void store_u16(std::byte* data, std::uint16_t bits) {
  std::memcpy(data, &bits, sizeof bits);
}

void expand_q8_0(const std::byte* block, float* out) {
  const float scale = f16_to_f32(load_u16(block));
  for (int i = 0; i < quant_block; ++i) {
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
  }
}

void expand_q4_0(const std::byte* block, float* out) {
  const float scale = f16_to_f32(load_u16(block));
  for (int i = 0; i < quant_block / 2; ++i) {
    const int pair = std::to_integer<int>(block[2 + i]);
    out[i] = scale * static_cast<float>((pair & 15) - 8);
    out[i + quant_block / 2] = scale * static_cast<float>((pair >> 4) - 8);
  }
}

// The element of largest magnitude, with its sign; the first of equals.
float extreme(const float* in) {
  float found = 0;
  for (int i = 0; i < quant_block; ++i) {
    found = std::fabs(in[i]) > std::fabs(found) ? in[i] : found;
  }
  return found;
}

void pack_q8_0(const float* in, std::byte* block) {
  const float largest = std::fabs(extreme(in));
  const float scale = largest / 127.0f;
  // The published encoder's steps, so that its bytes are met: the inverse of
  // the unrounded scale, halves away from zero. A subnormal scale is 0 in f16.
  const float inverse = std::isnormal(scale) ? 1 / scale : 0.0f;
  store_u16(block, f32_to_f16(scale));
  for (int i = 0; i < quant_block; ++i) {
    const auto q = static_cast<int>(std::round(in[i] * inverse));
    block[2 + i] = static_cast<std::byte>(q);
  }
}

int nibble(float value) {
  const auto q = static_cast<int>(std::floor(value + 8.5f));
  return q < 0 ? 0 : (q > 15 ? 15 : q);
}

void pack_q4_0(const float* in, std::byte* block) {
  const float scale = extreme(in) / -8.0f;
  const float inverse = std::isnormal(scale) ? 1.0f / scale : 0.0f;
  store_u16(block, f32_to_f16(scale));
  for (int i = 0; i < quant_block / 2; ++i) {
    const int low = nibble(in[i] * inverse);
    const int high = nibble(in[i + quant_block / 2] * inverse);
    block[2 + i] = static_cast<std::byte>(low | (high << 4));
  }
}

// Applies `each(index of the first element, bytes)` to every storage block.
template <class Byte, class Each>
void for_blocks(dtype type, std::size_t elements, Byte* data, Each each) {
  const auto step = static_cast<std::size_t>(block_elements(type));
  for (std::size_t i = 0; i < elements; i += step) {
    each(i, data + i / step * block_bytes(type));
  }
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(),
                     [](float x) { return std::isfinite(x); });
}

void require_packable(dtype type, std::size_t elements) {
  require(type != dtype::i32,
          "convert: i32 holds no real numbers; use a floating or quantised "
          "dtype");
  row_bytes(type, static_cast<std::int64_t>(elements));
}

} // namespace

// Halves of 2^-24 are exact in f32, so a subnormal is its integer times 2^-24.
float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t magnitude = bits & 0x7fffu;
  if (magnitude < 0x0400u) {
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  const std::uint32_t rebias = magnitude >= 0x7c00u ? 0x70000000u : 0x38000000u;
  return std::bit_cast<float>(((magnitude << 13) + rebias) | sign);
}

std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { // NaN: quiet it, keep the upper payload
    return static_cast<std::uint16_t>(sign | 0x7e00u |
                                      ((magnitude >> 13) & 0x1ffu));
  }
  if (magnitude >= 0x477ff000u) { // rounds past 65504
    return static_cast<std::uint16_t>(sign | 0x7c00u);
  }
  if (magnitude < 0x38800000u) { // subnormal: the FPU rounds to 2^-24 for us
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(
        sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u));
  }
  const std::uint32_t odd = (magnitude >> 13) & 1u;
  const std::uint32_t rounded = magnitude - 0x38000000u + 0xfffu + odd;
  return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >>
                                    16);
}

void dequantize_row(dtype type, const std::byte* data, std::span<float> out) {
  require_packable(type, out.size());
  for_blocks(type, out.size(), data, [&](std::size_t i, const std::byte* from) {
    switch (type) {
    case dtype::f16:
      out[i] = f16_to_f32(load_u16(from));
      break;
    case dtype::bf16:
      out[i] = bf16_to_f32(load_u16(from));
      break;
    case dtype::q8_0:
      expand_q8_0(from, &out[i]);
      break;
    case dtype::q4_0:
      expand_q4_0(from, &out[i]);
      break;
    default:
      std::memcpy(&out[i], from, sizeof(float));
    }
  });
}

void quantize_row(dtype type, std::span<const float> in, std::byte* data) {
  require_packable(type, in.size());
  require(block_elements(type) == 1 || all_finite(in),
          "quantize_row: a NaN or an infinity has no quant; check the tensor");
  for_blocks(type, in.size(), data, [&](std::size_t i, std::byte* to) {
    switch (type) {
    case dtype::f16:
      store_u16(to, f32_to_f16(in[i]));
      break;
    case dtype::bf16:
      store_u16(to, f32_to_bf16(in[i]));
      break;
    case dtype::q8_0:
      pack_q8_0(&in[i], to);
      break;
    case dtype::q4_0:
      pack_q4_0(&in[i], to);
      break;
    default:
      std::memcpy(to, &in[i], sizeof(float));
    }
  });
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "kernels/convert.hpp"

#include "kernels/check.hpp"
#include "kernels/formats/block_codec.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace sluice {

namespace {

constexpr dtype weight_type_rows[] = {
    dtype::f32,   dtype::f16,  dtype::bf16, dtype::q8_0,   dtype::q4_0,
    dtype::q4_1,  dtype::q5_0, dtype::q5_1, dtype::q2_k,   dtype::q3_k,
    dtype::q4_k,  dtype::q5_k, dtype::q6_k, dtype::iq4_nl, dtype::iq4_xs,
    dtype::mxfp4, dtype::w8a8, dtype::fp8};

// nullptr for the types that are no block formats.
const formats::block_codec* codec_of(dtype type) {
  switch (type) {
  case dtype::q8_0:
    return &formats::q8_0;
  case dtype::q4_0:
    return &formats::q4_0;
  case dtype::q4_1:
    return &formats::q4_1;
  case dtype::q5_0:
    return &formats::q5_0;
  case dtype::q5_1:
    return &formats::q5_1;
  case dtype::q2_k:
    return &formats::q2_k;
  case dtype::q3_k:
    return &formats::q3_k;
  case dtype::q4_k:
    return &formats::q4_k;
  case dtype::q5_k:
    return &formats::q5_k;
  case dtype::q6_k:
    return &formats::q6_k;
  case dtype::iq4_nl:
    return &formats::iq4_nl;
  case dtype::iq4_xs:
    return &formats::iq4_xs;
  case dtype::mxfp4:
    return &formats::mxfp4;
  default:
    return nullptr;
  }
}

[[noreturn]] void refuse(dtype type) {
  const auto text = "convert: " + std::string(name(type)) +
                    " alone holds no real numbers; use a floating or quantised "
                    "dtype";
  throw contract_violation(text);
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

// As of halves: subnormals are integers times 2^-9.
float f8_e4m3_to_f32(std::uint8_t code) {
  const std::uint32_t sign = (code & 0x80u) << 24;
  const std::uint32_t magnitude = code & 0x7fu;
  if (magnitude == 0x7fu)
    return std::bit_cast<float>(sign | 0x7fc00000u);
  if (magnitude < 8) {
    const float value = static_cast<float>(magnitude) * 0x1p-9f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  return std::bit_cast<float>(((magnitude << 20) + 0x3c000000u) | sign);
}

std::uint8_t f32_to_f8_e4m3(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 24) & 0x80u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return 0x7f;
  if (magnitude >= 0x43e00000u) // 448
    return static_cast<std::uint8_t>(sign | 0x7eu);
  if (magnitude < 0x3c800000u) { // subnormal: the FPU rounds to 2^-9 for us
    const float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;
    return static_cast<std::uint8_t>(
        sign | (std::bit_cast<std::uint32_t>(shifted) - 0x46800000u));
  }
  const std::uint32_t odd = (magnitude >> 20) & 1u;
  const std::uint32_t rounded = magnitude - 0x3c000000u + 0x7ffffu + odd;
  return static_cast<std::uint8_t>(sign | (rounded >> 20));
}

std::span<const dtype> weight_types() {
  return weight_type_rows;
}

std::optional<dtype> parse_weight_type(std::string_view text) {
  for (const dtype type : weight_type_rows)
    if (name(type) == text)
      return type;
  return std::nullopt;
}

std::string weight_type_list() {
  std::string list;
  for (const dtype type : weight_type_rows)
    list.append(list.empty() ? "" : ", ").append(name(type));
  return list;
}

bool quantisable(dtype type, std::span<const float> values) {
  const bool halves = codec_of(type) != nullptr;
  const bool any = !halves && type != dtype::w8a8 && type != dtype::fp8;
  constexpr float largest_half = 65504;
  return any || std::ranges::all_of(values, [=](float x) {
           return halves ? std::fabs(x) <= largest_half : std::isfinite(x);
         });
}

void dequantize_row(dtype type, const std::byte* data, std::span<float> out) {
  const auto bytes = row_bytes(type, static_cast<std::int64_t>(out.size()));
  if (const auto* codec = codec_of(type)) {
    const auto step = static_cast<std::size_t>(block_elements(type));
    for (std::size_t i = 0; i < out.size(); i += step)
      codec->expand(data + i / step * block_bytes(type), &out[i]);
    return;
  }
  switch (type) {
  case dtype::f32:
    if (bytes > 0)
      std::memcpy(out.data(), data, bytes);
    return;
  case dtype::f16:
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = f16_to_f32(formats::load_u16(data + 2 * i));
    return;
  case dtype::bf16:
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = bf16_to_f32(formats::load_u16(data + 2 * i));
    return;
  case dtype::f8_e4m3:
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = f8_e4m3_to_f32(std::to_integer<std::uint8_t>(data[i]));
    return;
  case dtype::w8a8:
    return formats::expand_w8a8_row(data, out.data(), out.size());
  case dtype::fp8:
    return formats::expand_fp8_row(data, out.data(), out.size());
  default:
    refuse(type);
  }
}

void quantize_row(dtype type, std::span<const float> in, std::byte* data) {
  const auto bytes = row_bytes(type, static_cast<std::int64_t>(in.size()));
  require(quantisable(type, in),
          "quantize_row: a NaN, an infinity or, in blocks, a magnitude above "
          "65504 has no quant; check the tensor");
  if (const auto* codec = codec_of(type)) {
    const auto step = static_cast<std::size_t>(block_elements(type));
    for (std::size_t i = 0; i < in.size(); i += step)
      codec->pack(&in[i], data + i / step * block_bytes(type));
    return;
  }
  switch (type) {
  case dtype::f32:
    if (bytes > 0)
      std::memcpy(data, in.data(), bytes);
    return;
  case dtype::f16:
    for (std::size_t i = 0; i < in.size(); ++i)
      formats::store_u16(data + 2 * i, f32_to_f16(in[i]));
    return;
  case dtype::bf16:
    for (std::size_t i = 0; i < in.size(); ++i)
      formats::store_u16(data + 2 * i, f32_to_bf16(in[i]));
    return;
  case dtype::f8_e4m3:
    for (std::size_t i = 0; i < in.size(); ++i)
      data[i] = std::byte{f32_to_f8_e4m3(in[i])};
    return;
  case dtype::w8a8:
    return formats::pack_w8a8_row(in.data(), data, in.size());
  case dtype::fp8:
    return formats::pack_fp8_row(in.data(), data, in.size());
  default:
    refuse(type);
  }
}

} // namespace sluice

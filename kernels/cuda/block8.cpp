// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/block8.hpp"

#include "kernels/convert.hpp"
#include "kernels/formats/block_codec.hpp"
#include "kernels/row_group.hpp"

#include <bit>

namespace sluice::cuda {

namespace {

// 2^(exponent - 128), which is subnormal for 0 and 1.
float power_of(std::uint16_t exponent) {
  const std::uint32_t bits = exponent;
  return std::bit_cast<float>(bits < 2 ? 0x00200000u << bits
                                       : (bits - 1) << 23);
}

std::int8_t code_of(dtype type, std::uint8_t stored) {
  switch (type) {
  case dtype::q5_0:
    return static_cast<std::int8_t>(stored - 16);
  case dtype::q3_k:
    return static_cast<std::int8_t>(stored - 4);
  case dtype::iq4_nl:
  case dtype::iq4_xs:
    return formats::iq4_values[stored];
  case dtype::mxfp4:
    return formats::mxfp4_values[stored];
  default:
    return static_cast<std::int8_t>(stored);
  }
}

// Of part i of 16 elements.
float scale_of(dtype type, const row_group& from, int i) {
  const auto signed_sub = [&](int part) {
    return static_cast<float>(static_cast<std::int8_t>(from.subs[part]));
  };
  switch (type) {
  case dtype::q2_k:
    return f16_to_f32(from.d) * static_cast<float>(from.subs[i]);
  case dtype::q3_k:
    return f16_to_f32(from.d) * signed_sub(i);
  case dtype::q5_k:
    return f16_to_f32(from.d) * static_cast<float>(from.subs[i / 2]);
  case dtype::iq4_xs:
    return f16_to_f32(from.d) * signed_sub(i / 2);
  case dtype::mxfp4:
    return power_of(from.scales[i / 2]);
  default:
    return f16_to_f32(from.scales[i / 2]);
  }
}

float minimum_of(dtype type, const row_group& from, int i) {
  switch (type) {
  case dtype::q4_1:
  case dtype::q5_1:
    return f16_to_f32(from.mins[i / 2]);
  case dtype::q2_k:
    return -(f16_to_f32(from.dmin) * static_cast<float>(from.sub_mins[i]));
  case dtype::q5_k:
    return -(f16_to_f32(from.dmin) * static_cast<float>(from.sub_mins[i / 2]));
  default:
    return 0;
  }
}

} // namespace

block8_group read_block8(dtype type, const std::byte* row, std::int64_t columns,
                         std::int64_t group) {
  row_group from;
  read_group(type, row, columns, group, from);
  block8_group to;
  for (int i = 0; i < 256; ++i)
    to.codes[i] = code_of(type, from.codes[i]);
  for (int i = 0; i < 16; ++i) {
    to.scales[i] = scale_of(type, from, i);
    to.minima[i] = minimum_of(type, from, i);
  }
  return to;
}

} // namespace sluice::cuda

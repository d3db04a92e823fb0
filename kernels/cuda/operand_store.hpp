// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/convert.hpp"
#include "kernels/cuda/block_reduce.hpp"
#include "kernels/cuda/ops.hpp"

// How an op rounds a row of f32 to an operand, four elements at a time.

namespace sluice::cuda {

/// The size of an element and how an operand's rows lie.
template <dtype Type>
inline constexpr int operand_bytes = is_scaled(Type) ? 1 : 2;

template <dtype Type>
SLUICE_DEVICE std::byte* operand_row(const operand& out, std::int64_t row) {
  return out.data + row * out.columns * operand_bytes<Type>;
}

/// Elements 4 at .. 4 at + 3 of a row of bf16 or f16.
template <dtype Type>
SLUICE_DEVICE void store_rounded(std::byte* row, std::int64_t at,
                                 const floats4& v) {
  auto* to = reinterpret_cast<words2*>(row) + at;
  if constexpr (Type == dtype::bf16)
    *to = {bf16_pair(v.x, v.y), bf16_pair(v.z, v.w)};
  else
    *to = {f16_pair(v.x, v.y), f16_pair(v.z, v.w)};
}

/// The largest magnitude, as bits: these order as the floats do, with infinity
/// and then every NaN above.
SLUICE_DEVICE std::uint32_t magnitude(float x) {
  return bits_of(x) & 0x7fffffffu;
}
SLUICE_DEVICE std::uint32_t magnitude(const floats4& v) {
  return max(max(magnitude(v.x), magnitude(v.y)),
             max(magnitude(v.z), magnitude(v.w)));
}

/// How a row becomes i8 or f8_e4m3.
template <dtype Type>
struct byte_scale {
  static constexpr float most = Type == dtype::i8 ? 127 : largest_f8_e4m3;

  float inverse; // 0: every element is stored as 0
  float scale;   // NaN after a NaN or an infinity

  SLUICE_DEVICE explicit byte_scale(std::uint32_t largest_magnitude) {
    constexpr std::uint32_t infinite = 0x7f800000;
    const float largest = float_of(largest_magnitude);
    const bool finite = largest_magnitude < infinite;
    inverse = finite && largest > 1e-30f ? most / largest : 0.0f;
    scale = finite ? largest / most : float_of(0x7fc00000u);
  }

  /// Two neighbours.
  SLUICE_DEVICE std::uint32_t round(float x, float y) const {
    if constexpr (Type == dtype::f8_e4m3)
      return e4m3_pair(x * inverse, y * inverse);
    else
      return (static_cast<std::uint32_t>(round_to_int(x * inverse)) & 0xff) |
             (static_cast<std::uint32_t>(round_to_int(y * inverse)) & 0xff)
                 << 8;
  }

  /// Elements 4 at .. 4 at + 3 of a row.
  SLUICE_DEVICE void store(std::byte* row, std::int64_t at,
                           const floats4& v) const {
    auto* to = reinterpret_cast<std::uint32_t*>(row) + at;
    *to = inverse == 0 ? 0 : round(v.x, v.y) | round(v.z, v.w) << 16;
  }
};

} // namespace sluice::cuda

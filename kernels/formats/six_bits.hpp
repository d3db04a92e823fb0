// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace sluice::formats {

// The 12 bytes of q4_k and q5_k that hold 8 scales and 8 minima of 6 bits:
// bytes 0-3 scales 0-3, bytes 4-7 minima 0-3, their upper two bits being bits
// 4-5 of scales and minima 4-7, whose lower four are the halves of bytes 8-11.

inline int six_bit_scale(const std::byte* packed, int part) {
  const auto at = [&](int i) { return std::to_integer<int>(packed[i]); };
  return part < 4 ? at(part) & 63
                  : (at(part + 4) & 15) | at(part - 4) >> 6 << 4;
}

inline int six_bit_minimum(const std::byte* packed, int part) {
  const auto at = [&](int i) { return std::to_integer<int>(packed[i]); };
  return part < 4 ? at(part + 4) & 63 : at(part + 4) >> 4 | at(part) >> 6 << 4;
}

/// @param scales, minima  8 numbers each, 0 .. 63.
inline void store_six_bits(const int* scales, const int* minima,
                           std::byte* packed) {
  for (int i = 0; i < 4; ++i) {
    packed[i] = static_cast<std::byte>(scales[i] | scales[i + 4] >> 4 << 6);
    packed[i + 4] = static_cast<std::byte>(minima[i] | minima[i + 4] >> 4 << 6);
    packed[i + 8] = static_cast<std::byte>((scales[i + 4] & 15) |
                                           (minima[i + 4] & 15) << 4);
  }
}

} // namespace sluice::formats

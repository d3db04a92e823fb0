// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/simd.hpp"

// Panels of four rows in the compiler's own vector types. The contract is in
// panel_simd.hpp.

namespace sluice::SLUICE_ISA {

inline constexpr std::int64_t panel_rows = 4;
inline constexpr int few_columns = 4;
inline constexpr int tall_columns = 2;

using bytes = std::uint8_t __attribute__((vector_size(16)));
using ints = int_vec;
using shorts = std::int16_t __attribute__((vector_size(16)));

template <class T>
SLUICE_INLINE T load_as(const void* p) {
  T x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

SLUICE_INLINE bytes load_line(const std::byte* p) {
  return load_as<bytes>(p);
}
SLUICE_INLINE void store_line(std::byte* p, bytes line) {
  __builtin_memcpy(p, &line, sizeof line);
}

SLUICE_INLINE bytes low_nibbles(bytes pairs) {
  return pairs & 15;
}
SLUICE_INLINE bytes high_nibbles(bytes pairs) {
  return pairs >> 4;
}

SLUICE_INLINE bytes move_bits(bytes plane, int from, int to, int mask) {
  const bytes moved = from > to ? plane >> (from - to) : plane << (to - from);
  return moved & static_cast<std::uint8_t>(mask);
}
SLUICE_INLINE bytes combine(bytes a, bytes b) {
  return a | b;
}
SLUICE_INLINE bytes look_up(const std::uint8_t* table, bytes codes) {
  bytes found = codes;
  for (int i = 0; i < 16; ++i) {
    found[i] = table[codes[i]];
  }
  return found;
}

SLUICE_INLINE ints broadcast(std::int32_t value) {
  return ints{value, value, value, value};
}
SLUICE_INLINE bytes broadcast_four(const std::int8_t* p) {
  return reinterpret_cast<bytes>(broadcast(load_as<std::int32_t>(p)));
}
SLUICE_INLINE ints broadcast_two(const std::int16_t* p) {
  return broadcast(load_as<std::int32_t>(p));
}

SLUICE_INLINE ints add(ints a, ints b) {
  return a + b;
}
SLUICE_INLINE ints mul(ints a, ints b) {
  return a * b;
}
SLUICE_INLINE vec to_float(ints x) {
  return __builtin_convertvector(x, vec);
}

// Both halves of every lane, sign-extended and added.
SLUICE_INLINE ints sum_pairs(shorts x) {
  const auto pairs = reinterpret_cast<ints>(x);
  return ((pairs << 16) >> 16) + (pairs >> 16);
}

// Every second byte as 16 bits; 255 * 127 fits into them.
SLUICE_INLINE ints dot(ints sums, bytes codes, bytes x) {
  using unsigned_shorts = std::uint16_t __attribute__((vector_size(16)));
  const auto c = reinterpret_cast<unsigned_shorts>(codes);
  const auto y = reinterpret_cast<shorts>(x);
  const shorts low = reinterpret_cast<shorts>(c & 255) * ((y << 8) >> 8);
  const shorts high = reinterpret_cast<shorts>(c >> 8) * (y >> 8);
  return sums + sum_pairs(low) + sum_pairs(high);
}
SLUICE_INLINE ints dot_wide(ints sums, bytes codes, bytes x) {
  return dot(sums, codes, x);
}
SLUICE_INLINE ints wide_start(ints negative_sum) {
  return negative_sum << 7;
}
SLUICE_INLINE ints times_power_of_two(ints x, int exponent) {
  return x << exponent;
}
SLUICE_INLINE ints dot_pairs(ints sums, const std::byte* pairs, ints x) {
  const auto two = reinterpret_cast<shorts>(x);
  for (int row = 0; row < 4; ++row) {
    sums[row] += static_cast<int>(pairs[2 * row]) * two[0] +
                 static_cast<int>(pairs[2 * row + 1]) * two[1];
  }
  return sums;
}

SLUICE_INLINE ints load_u8(const std::byte* p) {
  using four = std::uint8_t __attribute__((vector_size(4)));
  return __builtin_convertvector(load_as<four>(p), ints);
}
SLUICE_INLINE ints load_i8(const std::byte* p) {
  using four = std::int8_t __attribute__((vector_size(4)));
  return __builtin_convertvector(load_as<four>(p), ints);
}

SLUICE_INLINE ints low_half(ints pairs) {
  return pairs & 15;
}
SLUICE_INLINE ints high_half(ints pairs) {
  return pairs >> 4;
}

SLUICE_INLINE vec load_e8m0_half(const std::byte* p) {
  const ints exponent = load_u8(p);
  const ints normal = (exponent - 1) << 23;
  const ints subnormal = broadcast(0x00200000) << (exponent & 1);
  return reinterpret_cast<vec>(exponent < 2 ? subnormal : normal);
}

SLUICE_INLINE void prefetch(const std::byte* p) {
  __builtin_prefetch(p);
}

} // namespace sluice::SLUICE_ISA

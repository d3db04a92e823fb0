// SPDX-License-Identifier: Apache-2.0
#pragma once

// The vector type that the sources of this folder are written against. Each
// source is compiled once per instruction set with
//   SLUICE_ISA          the namespace: portable, avx2, avx512, ...
//   SLUICE_SIMD_HEADER  the header that defines the primitives for it.
// These sources call no inline function of the standard library or of other
// folders that could end up as a shared symbol: the linker keeps one copy of
// those, and it might be one that needs AVX-512 (a test looks for such).
//
// A SLUICE_SIMD_HEADER defines, in namespace sluice::SLUICE_ISA:
//   vec, lanes                     f32 lanes
//   wide_columns                   weight rows in a tile of 3 or 4 x rows
//   key_vectors                    vectors of keys in a tile of 4 queries
//   value_queries                  queries in a tile of 2 vectors of values
//   set load store add sub mul div fma abs round_even
//   max(a, b), min(a, b)           b when either is NaN
//   exponent(x)                    2^(b - 127), b the last 8 bits of x
//   zero_below(x, limit, value)    0 where x < limit, else value
//   sum(x), largest(x)             over the lanes, in one fixed order
//   load_f16 store_f16 load_bf16 store_bf16   nearest even, NaN stays NaN
//   load_bf16_even load_bf16_odd   of `lanes` neighbouring pairs
//   split_bf16                     the low and the high half of each lane
//   turn_f16(rows, to, stride)     see f16_format::turn
//   load_i8 split_i8               int8 as f32; the four bytes of each lane
//   load_f8 split_f8               likewise of f8_e4m3 but NaNs, which may be
//                                  any number: a cache has none
//   transpose(vec[lanes])          of 32-bit lanes
//   store_i8                       nearest even, saturating
//   negative_sums_of_16(p, sums)   of 256 int8: minus the sums of 16 neighbours
//   q8_0, q4_0: bytes, load(block, blocks)    weight quants of 1 or
//                                             dot_blocks neighbouring blocks
//   load_input<Format>(p, blocks)  int8 inputs of as many blocks
//   dot(weights, inputs)           exact products summed into f32 lanes
//   weight_scales<Format>(block, blocks)
//                                  each block's scale in that block's lanes

#include SLUICE_SIMD_HEADER

#include "kernels/convert.hpp"

namespace sluice::SLUICE_ISA {

/// Transposes `lanes` rows of words; element e of all of them goes to
/// to + e * stride.
template <class Format>
SLUICE_INLINE void turn_words(vec (&rows)[lanes], float* to,
                              std::int64_t stride) {
  transpose(rows);
#pragma GCC unroll 16
  for (int n = 0; n < lanes; ++n) {
    vec elements[Format::per_word];
    Format::split(rows[n], elements);
#pragma GCC unroll 4
    for (int e = 0; e < Format::per_word; ++e) {
      store(to + (n * Format::per_word + e) * stride, elements[e]);
    }
  }
}

// Storage formats of single elements: load and store `lanes` of them.
// `turn` takes `lanes` rows of `lanes` words each and stores element e of all
// rows at to + e * stride.
struct f32_format {
  static constexpr int bytes = 4;
  static constexpr int per_word = 1;
  SLUICE_INLINE static void split(vec words, vec (&elements)[1]) {
    elements[0] = words;
  }
  SLUICE_INLINE static void turn(vec (&rows)[lanes], float* to,
                                 std::int64_t stride) {
    turn_words<f32_format>(rows, to, stride);
  }
  SLUICE_INLINE static vec load(const std::byte* p) {
    return SLUICE_ISA::load(reinterpret_cast<const float*>(p));
  }
  SLUICE_INLINE static void store(std::byte* p, vec x) {
    SLUICE_ISA::store(reinterpret_cast<float*>(p), x);
  }
};

struct f16_format {
  static constexpr int bytes = 2;
  static constexpr int per_word = 2;
  SLUICE_INLINE static void turn(vec (&rows)[lanes], float* to,
                                 std::int64_t stride) {
    turn_f16(rows, to, stride);
  }
  SLUICE_INLINE static vec load(const std::byte* p) { return load_f16(p); }
  SLUICE_INLINE static void store(std::byte* p, vec x) { store_f16(p, x); }
};

struct bf16_format {
  static constexpr int bytes = 2;
  static constexpr int per_word = 2;
  SLUICE_INLINE static void split(vec words, vec (&elements)[2]) {
    split_bf16(words, elements);
  }
  SLUICE_INLINE static void turn(vec (&rows)[lanes], float* to,
                                 std::int64_t stride) {
    turn_words<bf16_format>(rows, to, stride);
  }
  SLUICE_INLINE static vec load(const std::byte* p) { return load_bf16(p); }
  SLUICE_INLINE static void store(std::byte* p, vec x) { store_bf16(p, x); }
};

// Without the scale, which the user of the elements applies.
struct i8_format {
  static constexpr int bytes = 1;
  static constexpr int per_word = 4;
  static constexpr float most = 127; // what a head's largest becomes
  SLUICE_INLINE static void split(vec words, vec (&elements)[4]) {
    split_i8(words, elements);
  }
  SLUICE_INLINE static void turn(vec (&rows)[lanes], float* to,
                                 std::int64_t stride) {
    turn_words<i8_format>(rows, to, stride);
  }
  SLUICE_INLINE static vec load(const std::byte* p) { return load_i8(p); }
  SLUICE_INLINE static void store(std::byte* p, vec x) {
    store_i8(reinterpret_cast<std::int8_t*>(p), x);
  }
};

// As i8. Stored one by one: a token is stored once and read in every step.
struct f8_format {
  static constexpr int bytes = 1;
  static constexpr int per_word = 4;
  static constexpr float most = largest_f8_e4m3;
  SLUICE_INLINE static void split(vec words, vec (&elements)[4]) {
    split_f8(words, elements);
  }
  SLUICE_INLINE static void turn(vec (&rows)[lanes], float* to,
                                 std::int64_t stride) {
    turn_words<f8_format>(rows, to, stride);
  }
  SLUICE_INLINE static vec load(const std::byte* p) { return load_f8(p); }
  SLUICE_INLINE static void store(std::byte* p, vec x) {
    float elements[lanes];
    SLUICE_ISA::store(elements, x);
    for (int i = 0; i < lanes; ++i) {
      p[i] = static_cast<std::byte>(f32_to_f8_e4m3(elements[i]));
    }
  }
};

/// Loads the first `count` < lanes elements; the other lanes are 0.
template <class Format>
SLUICE_INLINE vec load_some(const std::byte* p, int count) {
  std::byte padded[lanes * Format::bytes] = {};
  __builtin_memcpy(padded, p, static_cast<std::size_t>(count * Format::bytes));
  return Format::load(padded);
}

/// Stores the first `count` < lanes lanes.
template <class Format>
SLUICE_INLINE void store_some(std::byte* p, vec x, int count) {
  std::byte padded[lanes * Format::bytes];
  Format::store(padded, x);
  __builtin_memcpy(p, padded, static_cast<std::size_t>(count * Format::bytes));
}

SLUICE_INLINE vec load_some(const float* p, int count) {
  return load_some<f32_format>(reinterpret_cast<const std::byte*>(p), count);
}

SLUICE_INLINE void store_some(float* p, vec x, int count) {
  store_some<f32_format>(reinterpret_cast<std::byte*>(p), x, count);
}

/// e^x for x <= 88 (larger ones count as 88), 0 below -87.3; NaN stays NaN.
/// Relative error below 3e-7: e^x = 2^n e^r, a minimax polynomial for e^r whose
/// own error is below 4e-9.
SLUICE_INLINE vec exp(vec x) {
  const vec lowest = set(-87.3f);
  const vec bounded = min(set(88.0f), max(lowest, x));
  // Next to 1.5 * 2^23 floats are integers: adding it rounds, and the last
  // bits of the sum are n + 127, the exponent of 2^n.
  const vec shift = set(12582912.0f + 127);
  const vec shifted = fma(bounded, set(1.44269504f), shift);
  const vec n = sub(shifted, shift);
  // log(2) in two parts, the first exact in few bits.
  const vec high = fma(n, set(-0.693359375f), bounded);
  const vec r = fma(n, set(2.12194440e-4f), high);
  vec p = set(0.00138144672f);
  p = fma(p, r, set(0.00836878084f));
  p = fma(p, r, set(0.0416683927f));
  p = fma(p, r, set(0.166665196f));
  p = fma(p, r, set(0.49999994f));
  p = fma(p, r, set(1.0f));
  p = fma(p, r, set(1.0f));
  return zero_below(x, lowest, mul(p, exponent(shifted)));
}

/// Calls `full(i)` for every whole vector of `count` elements and then
/// `rest(i, n)` for the n < lanes elements left, if any.
template <class Full, class Rest>
SLUICE_INLINE void for_lanes(std::int64_t count, Full full, Rest rest) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    full(i);
  }
  if (i < count) {
    rest(i, static_cast<int>(count - i));
  }
}

} // namespace sluice::SLUICE_ISA

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/convert.hpp"

#include <cstddef>
#include <cstdint>

// Four f32 lanes in the compiler's own vector type, which every 64-bit CPU
// has; no fused multiply-add. The contract is in simd.hpp.

#define SLUICE_INLINE [[gnu::always_inline]] inline

namespace sluice::SLUICE_ISA {

using vec = float __attribute__((vector_size(16)));
using int_vec = std::int32_t __attribute__((vector_size(16)));
inline constexpr int lanes = 4;
inline constexpr int wide_columns = 2;
inline constexpr int key_vectors = 2;
inline constexpr int value_queries = 4;

SLUICE_INLINE vec set(float x) {
  return vec{x, x, x, x};
}

SLUICE_INLINE vec load(const float* p) {
  vec x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}

SLUICE_INLINE void store(float* p, vec x) {
  __builtin_memcpy(p, &x, sizeof x);
}
SLUICE_INLINE vec add(vec a, vec b) {
  return a + b;
}
SLUICE_INLINE vec sub(vec a, vec b) {
  return a - b;
}
SLUICE_INLINE vec mul(vec a, vec b) {
  return a * b;
}
SLUICE_INLINE vec div(vec a, vec b) {
  return a / b;
}
SLUICE_INLINE vec max(vec a, vec b) {
  return a > b ? a : b;
}
SLUICE_INLINE vec min(vec a, vec b) {
  return a < b ? a : b;
}
SLUICE_INLINE vec fma(vec a, vec b, vec c) {
  return a * b + c;
}

SLUICE_INLINE vec abs(vec x) {
  return reinterpret_cast<vec>(reinterpret_cast<int_vec>(x) & 0x7fffffff);
}

// Adding 1.5 * 2^23 pushes the fraction out of the mantissa, rounding to
// nearest even; exact for |x| < 2^22, which covers every use here.
SLUICE_INLINE vec round_even(vec x) {
  const vec shift = set(12582912.0f);
  return (x + shift) - shift;
}

SLUICE_INLINE vec exponent(vec x) {
  return reinterpret_cast<vec>(reinterpret_cast<int_vec>(x) << 23);
}

SLUICE_INLINE vec zero_below(vec x, vec limit, vec value) {
  return x < limit ? set(0) : value;
}

SLUICE_INLINE float sum(vec x) {
  return (x[0] + x[2]) + (x[1] + x[3]);
}

SLUICE_INLINE float largest(vec x) {
  const float a = x[0] > x[2] ? x[0] : x[2];
  const float b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
}

SLUICE_INLINE std::uint16_t load_u16(const std::byte* p) {
  std::uint16_t bits;
  __builtin_memcpy(&bits, p, sizeof bits);
  return bits;
}

SLUICE_INLINE void store_u16(std::byte* p, std::uint16_t bits) {
  __builtin_memcpy(p, &bits, sizeof bits);
}

SLUICE_INLINE vec load_f16(const std::byte* p) {
  return vec{f16_to_f32(load_u16(p)), f16_to_f32(load_u16(p + 2)),
             f16_to_f32(load_u16(p + 4)), f16_to_f32(load_u16(p + 6))};
}

SLUICE_INLINE void store_f16(std::byte* p, vec x) {
  for (int i = 0; i < lanes; ++i) {
    store_u16(p + 2 * i, f32_to_f16(x[i]));
  }
}

SLUICE_INLINE vec load_bf16(const std::byte* p) {
  const int_vec bits{load_u16(p), load_u16(p + 2), load_u16(p + 4),
                     load_u16(p + 6)};
  return reinterpret_cast<vec>(bits << 16);
}

SLUICE_INLINE vec load_bf16_even(const std::byte* p) {
  int_vec pairs;
  __builtin_memcpy(&pairs, p, sizeof pairs);
  return reinterpret_cast<vec>(pairs << 16);
}

SLUICE_INLINE vec load_bf16_odd(const std::byte* p) {
  int_vec pairs;
  __builtin_memcpy(&pairs, p, sizeof pairs);
  return reinterpret_cast<vec>(pairs & static_cast<std::int32_t>(0xffff0000));
}

SLUICE_INLINE void store_bf16(std::byte* p, vec x) {
  for (int i = 0; i < lanes; ++i) {
    store_u16(p + 2 * i, f32_to_bf16(x[i]));
  }
}

// The 16-bit halves of each lane's word, widened.
SLUICE_INLINE void split_f16(vec words, vec (&halves)[2]) {
  std::byte pairs[16];
  __builtin_memcpy(pairs, &words, sizeof pairs);
  const auto at = [&pairs](int i) {
    return f16_to_f32(load_u16(pairs + 2 * i));
  };
  halves[0] = vec{at(0), at(2), at(4), at(6)};
  halves[1] = vec{at(1), at(3), at(5), at(7)};
}

SLUICE_INLINE void split_bf16(vec words, vec (&halves)[2]) {
  const int_vec bits = reinterpret_cast<int_vec>(words);
  const int upper = static_cast<int>(0xffff0000);
  halves[0] = reinterpret_cast<vec>(bits << 16);
  halves[1] = reinterpret_cast<vec>(bits & upper);
}

SLUICE_INLINE void transpose(vec (&r)[lanes]) {
  const vec a = __builtin_shuffle(r[0], r[1], int_vec{0, 4, 1, 5});
  const vec b = __builtin_shuffle(r[2], r[3], int_vec{0, 4, 1, 5});
  const vec c = __builtin_shuffle(r[0], r[1], int_vec{2, 6, 3, 7});
  const vec d = __builtin_shuffle(r[2], r[3], int_vec{2, 6, 3, 7});
  r[0] = __builtin_shuffle(a, b, int_vec{0, 1, 4, 5});
  r[1] = __builtin_shuffle(a, b, int_vec{2, 3, 6, 7});
  r[2] = __builtin_shuffle(c, d, int_vec{0, 1, 4, 5});
  r[3] = __builtin_shuffle(c, d, int_vec{2, 3, 6, 7});
}

SLUICE_INLINE void turn_f16(vec (&rows)[lanes], float* to,
                            std::int64_t stride) {
  transpose(rows);
  for (int n = 0; n < lanes; ++n) {
    vec halves[2];
    split_f16(rows[n], halves);
    store(to + 2 * n * stride, halves[0]);
    store(to + (2 * n + 1) * stride, halves[1]);
  }
}

SLUICE_INLINE vec load_i8(const std::byte* p) {
  const auto at = [p](int i) {
    return static_cast<float>(static_cast<std::int8_t>(p[i]));
  };
  return vec{at(0), at(1), at(2), at(3)};
}

// The four int8 of each lane's word.
SLUICE_INLINE void split_i8(vec words, vec (&bytes)[4]) {
  const int_vec bits = reinterpret_cast<int_vec>(words);
  bytes[0] = __builtin_convertvector((bits << 24) >> 24, vec);
  bytes[1] = __builtin_convertvector((bits << 16) >> 24, vec);
  bytes[2] = __builtin_convertvector((bits << 8) >> 24, vec);
  bytes[3] = __builtin_convertvector(bits >> 24, vec);
}

SLUICE_INLINE vec load_f8(const std::byte* p) {
  const auto at = [p](int i) {
    return f8_e4m3_to_f32(static_cast<std::uint8_t>(p[i]));
  };
  return vec{at(0), at(1), at(2), at(3)};
}

SLUICE_INLINE void split_f8(vec words, vec (&bytes)[4]) {
  std::byte all[16];
  __builtin_memcpy(all, &words, sizeof all);
  for (int b = 0; b < 4; ++b) {
    const auto at = [&all, b](int lane) {
      return f8_e4m3_to_f32(static_cast<std::uint8_t>(all[4 * lane + b]));
    };
    bytes[b] = vec{at(0), at(1), at(2), at(3)};
  }
}

SLUICE_INLINE void store_i8(std::int8_t* p, vec x) {
  const vec rounded = round_even(min(set(127), max(set(-127), x)));
  for (int i = 0; i < lanes; ++i) {
    p[i] = rounded[i] == rounded[i] ? static_cast<std::int8_t>(rounded[i])
                                    : std::int8_t{0};
  }
}

SLUICE_INLINE void negative_sums_of_16(const std::int8_t* p,
                                       std::int32_t* sums) {
  for (int s = 0; s < 16; ++s) {
    std::int32_t total = 0;
    for (int i = 0; i < 16; ++i) {
      total -= p[s * 16 + i];
    }
    sums[s] = total;
  }
}

// One block of 32 quants a step.
inline constexpr int dot_blocks = 1;

struct weight_quants {
  std::int8_t value[32];
};

struct input_quants {
  const std::int8_t* value;
};

struct q8_0 {
  static constexpr std::size_t bytes = 34;

  SLUICE_INLINE static weight_quants load(const std::byte* block, int) {
    weight_quants w;
    __builtin_memcpy(w.value, block + sizeof(std::uint16_t), sizeof w.value);
    return w;
  }
};

struct q4_0 {
  static constexpr std::size_t bytes = 18;

  SLUICE_INLINE static weight_quants load(const std::byte* block, int) {
    weight_quants w;
    for (int i = 0; i < 16; ++i) {
      const int pair = static_cast<int>(block[2 + i]);
      w.value[i] = static_cast<std::int8_t>((pair & 15) - 8);
      w.value[16 + i] = static_cast<std::int8_t>((pair >> 4) - 8);
    }
    return w;
  }
};

template <class Format>
SLUICE_INLINE input_quants load_input(const std::int8_t* p, int) {
  return {p};
}

SLUICE_INLINE vec dot(const weight_quants& w, const input_quants& x) {
  int_vec sums{};
  for (int lane = 0; lane < lanes; ++lane) {
    int total = 0;
    for (int i = 0; i < 8; ++i) {
      total += w.value[lane * 8 + i] * x.value[lane * 8 + i];
    }
    sums[lane] = total;
  }
  return __builtin_convertvector(sums, vec);
}

template <class Format>
SLUICE_INLINE vec weight_scales(const std::byte* block, int) {
  return set(f16_to_f32(load_u16(block)));
}

} // namespace sluice::SLUICE_ISA

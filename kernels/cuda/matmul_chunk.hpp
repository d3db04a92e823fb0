// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/simt.hpp"
#include "kernels/cuda/weight_layout.hpp"

// A chunk of 16 rows of weights as operand a of mma, and what it adds to a
// sum: both kernels do the same operations in the same order. The tables of
// weight_layout.hpp say which bits lie where.

namespace sluice::cuda {

/// What a lane has of x for one chunk and 8 tokens: operand b of two steps,
/// registers {step 0: r 0, 1; step 1: r 0, 1}.
using x_registers = std::uint32_t[4];

/// `from` is the chunk's 64 bytes of the lane's token, lane / 4.
template <weight_form Form>
SLUICE_DEVICE void load_x(x_registers& b, const std::byte* from) {
  const int t = lane() % 4;
  if constexpr (layout_of(Form).sixteens) {
    const auto low = *reinterpret_cast<const words2*>(from + 8 * t);
    const auto high = *reinterpret_cast<const words2*>(from + 32 + 8 * t);
    b[0] = low.x, b[1] = low.y, b[2] = high.x, b[3] = high.y;
  } else {
    const auto all = *reinterpret_cast<const words4*>(from + 16 * t);
    b[0] = all.x, b[1] = all.y, b[2] = all.z, b[3] = all.w;
  }
}

// -- codes to bf16 ------------------------------------------------------------
// A bf16 of 128 to 255 ends in that integer's lower 7 bits.

/// (a & mask) | 128.0 in both halves, in one operation.
SLUICE_DEVICE std::uint32_t from_128(std::uint32_t a, std::uint32_t mask) {
  return logic3<(0xf0 & 0xcc) | 0xaa>(a, mask, 0x43004300u);
}

inline constexpr std::uint32_t bf16_ones = 0x3f803f80u;
inline constexpr std::uint32_t bf16_minus_ones = 0xbf80bf80u;

/// Both halves' lower 4 bits, less 8 or as they are.
template <int Offset>
SLUICE_DEVICE std::uint32_t bf16_of_nibbles(std::uint32_t codes) {
  constexpr std::uint32_t less = Offset == 8 ? 0xc308c308u : 0xc300c300u;
  return bf162_fma(from_128(codes, 0x000f000fu), bf16_ones, less);
}

/// Both halves' lower bytes as int8: 128 + the lower 7 bits, less 128 or 256,
/// which differ in the very bit that is the sign.
SLUICE_DEVICE std::uint32_t bf16_of_bytes(std::uint32_t codes) {
  return bf162_fma(from_128(codes, 0x00800080u), bf16_minus_ones,
                   from_128(codes, 0x007f007fu));
}

SLUICE_DEVICE float low_half(std::uint32_t pair) {
  return f32_of_f16(static_cast<std::uint16_t>(pair));
}
SLUICE_DEVICE float high_half(std::uint32_t pair) {
  return f32_of_f16(static_cast<std::uint16_t>(pair >> 16));
}
SLUICE_DEVICE float byte_of(std::uint32_t word, int i) {
  return static_cast<float>(word >> (8 * i) & 0xff);
}
SLUICE_DEVICE float int8_of(std::uint32_t word, int i) {
  return static_cast<float>(static_cast<std::int8_t>(word >> (8 * i)));
}
SLUICE_DEVICE std::uint32_t word_at(const std::byte* from) {
  return *reinterpret_cast<const std::uint32_t*>(from);
}

// -- a chunk ------------------------------------------------------------------

/// Sums of x over the blocks of a chunk, for forms with minima: of the tokens
/// 2 t and 2 t + 1 (the lane's columns of d).
template <weight_form Form>
struct x_sums {
  static constexpr int count = Form == weight_form::q4_k     ? 2
                               : Form == weight_form::block8 ? 4
                                                             : 0;
  float of[count > 0 ? count : 1]; // block8: [step][token]

  /// On the tensor cores, as products with ones.
  SLUICE_DEVICE void add_up(const x_registers& b) {
    if constexpr (count > 0) {
      constexpr std::uint32_t ones[4] = {bf16_ones, bf16_ones, bf16_ones,
                                         bf16_ones};
      const std::uint32_t steps[2][2] = {{b[0], b[1]}, {b[2], b[3]}};
      float d[4] = {};
      multiply_bf16(d, ones, steps[0]);
      if constexpr (count == 4) {
        of[0] = d[0], of[1] = d[1];
        d[0] = d[1] = d[2] = d[3] = 0;
      }
      multiply_bf16(d, ones, steps[1]);
      of[count - 2] = d[0], of[count - 1] = d[1];
    }
  }
};

template <weight_form Form>
struct weight_chunk {
  static constexpr auto layout = layout_of(Form);
  static constexpr bool dense =
      Form == weight_form::bf16 || Form == weight_form::f16;
  static constexpr bool integer = Form == weight_form::w8a8;
  static constexpr bool eight_bit_float = Form == weight_form::fp8;
  static constexpr bool nibbles =
      Form == weight_form::q4_0 || Form == weight_form::q4_k;
  static constexpr bool minima_too =
      Form == weight_form::q4_k || Form == weight_form::block8;
  static constexpr int scale_sets = layout.sixteens ? 2 : 1; // one a step
  static_assert(!layout.sixteens || Form == weight_form::q6_k ||
                Form == weight_form::block8);

  std::uint32_t a[2][4]; // [step][h + 2 r]
  float scales[scale_sets][2];
  float minima[scale_sets][2]; // to subtract; of block8 to add

  /// The lane's part, from shared memory.
  SLUICE_DEVICE void load(const std::byte* chunk, const std::byte* header) {
    if constexpr (dense || integer || eight_bit_float) {
      load_registers(chunk);
    } else if constexpr (nibbles) {
      load_nibbles(chunk);
    } else if constexpr (Form == weight_form::q6_k) {
      load_six_bits(chunk);
    } else {
      load_bytes(chunk);
    }
    load_scales(chunk + layout.quant_bytes, header);
  }

  /// sum += the chunk times x; of a lane's 4 sums, 2 h + i is row h, token
  /// 2 t + i.
  template <class Sum>
  SLUICE_DEVICE void multiply(Sum (&sum)[4], const x_registers& b,
                              const x_sums<Form>& sums) const {
    const std::uint32_t steps[2][2] = {{b[0], b[1]}, {b[2], b[3]}};
    if constexpr (integer) {
      multiply_s8(sum, a[0], steps[0]);
      multiply_s8(sum, a[1], steps[1]);
    } else if constexpr (eight_bit_float) {
      // Where Ada sums products of 8-bit floats (and Hopper's wgmma, which we
      // do not use), 13 or 14 bits survive: over thousands of columns that
      // would be off by percents. So a chunk, 64 columns, is summed there, and
      // chunks in f32. (DeepSeek's interval is 128; 64 costs two additions a
      // product, which the tensor cores' own time hides, and keeps nothing
      // between chunks.) Of this mma Hopper has none: nvcc widens both operands
      // to f16, exactly, and sums as of f16. The order of sums is the same.
      // @source DeepSeek-AI 2024, "DeepSeek-V3 technical report", section
      //         3.3.2; Zhang et al. 2024, "SageAttention2", section 3.3.
      float block[4] = {};
      multiply_e4m3(block, a[0], steps[0]);
      multiply_e4m3(block, a[1], steps[1]);
      SLUICE_UNROLL
      for (int i = 0; i < 4; ++i)
        sum[i] += block[i];
    } else if constexpr (dense) {
      multiply_dense(sum, a[0], steps[0]);
      multiply_dense(sum, a[1], steps[1]);
    } else if constexpr (layout.sixteens) {
      SLUICE_UNROLL
      for (int s = 0; s < 2; ++s) {
        float block[4] = {};
        multiply_bf16(block, a[s], steps[s]);
        add(sum, block, s, sums);
      }
    } else {
      float block[4] = {};
      multiply_bf16(block, a[0], steps[0]);
      multiply_bf16(block, a[1], steps[1]);
      add(sum, block, 0, sums);
    }
  }

private:
  SLUICE_DEVICE void load_registers(const std::byte* chunk) {
    SLUICE_UNROLL
    for (int s = 0; s < 2; ++s) {
      const auto w =
          *reinterpret_cast<const words4*>(chunk + 512 * s + 16 * lane());
      a[s][0] = w.x, a[s][1] = w.y, a[s][2] = w.z, a[s][3] = w.w;
    }
  }

  SLUICE_DEVICE void load_nibbles(const std::byte* chunk) {
    constexpr int offset = Form == weight_form::q4_0 ? 8 : 0;
    const auto w = *reinterpret_cast<const words2*>(chunk + 8 * lane());
    SLUICE_UNROLL
    for (int i = 0; i < 4; ++i) { // i = 2 s + r
      a[i / 2][2 * (i % 2)] = bf16_of_nibbles<offset>(w.x >> (4 * i));
      a[i / 2][2 * (i % 2) + 1] = bf16_of_nibbles<offset>(w.y >> (4 * i));
    }
  }

  SLUICE_DEVICE void load_bytes(const std::byte* chunk) {
    const auto w = *reinterpret_cast<const words4*>(chunk + 16 * lane());
    const std::uint32_t words[2][2] = {{w.x, w.y}, {w.z, w.w}};
    SLUICE_UNROLL
    for (int s = 0; s < 2; ++s)
      SLUICE_UNROLL
    for (int h = 0; h < 2; ++h) {
      a[s][h] = bf16_of_bytes(words[s][h]);
      a[s][h + 2] = bf16_of_bytes(words[s][h] >> 8);
    }
  }

  // 128 + code, the lower 4 bits and the upper 2 put together, less 160.
  SLUICE_DEVICE void load_six_bits(const std::byte* chunk) {
    const auto low = *reinterpret_cast<const words2*>(chunk + 8 * lane());
    const auto high = word_at(chunk + 256 + 4 * lane());
    SLUICE_UNROLL
    for (int i = 0; i < 8; ++i) { // i = 4 h + 2 s + r
      const auto lower =
          from_128((i < 4 ? low.x : low.y) >> (4 * (i % 4)), 0x000f000fu);
      const auto upper = i < 2 ? high << (4 - 2 * i) : high >> (2 * i - 4);
      // (upper & mask) | lower
      const auto code = logic3<(0xf0 & 0xcc) | 0xaa>(upper, 0x00300030u, lower);
      a[i / 2 % 2][i / 4 + 2 * (i % 2)] =
          bf162_fma(code, bf16_ones, 0xc320c320u);
    }
  }

  SLUICE_DEVICE void load_scales(const std::byte* from,
                                 const std::byte* header) {
    const int g = lane() / 4;
    if constexpr (Form == weight_form::q8_0 || Form == weight_form::q4_0) {
      const auto both = word_at(from + 4 * g);
      scales[0][0] = low_half(both), scales[0][1] = high_half(both);
    } else if constexpr (Form == weight_form::q4_k) {
      const auto parts = word_at(from + 4 * g);
      const auto d = *reinterpret_cast<const words2*>(header + 8 * g);
      scales[0][0] = low_half(d.x) * byte_of(parts, 0);
      scales[0][1] = low_half(d.y) * byte_of(parts, 1);
      minima[0][0] = high_half(d.x) * byte_of(parts, 2);
      minima[0][1] = high_half(d.y) * byte_of(parts, 3);
    } else if constexpr (Form == weight_form::q6_k) {
      const auto parts = word_at(from + 4 * g);
      const auto d = word_at(header + 4 * g);
      scales[0][0] = low_half(d) * int8_of(parts, 0);
      scales[1][0] = low_half(d) * int8_of(parts, 1);
      scales[0][1] = high_half(d) * int8_of(parts, 2);
      scales[1][1] = high_half(d) * int8_of(parts, 3);
    } else if constexpr (Form == weight_form::block8) {
      SLUICE_UNROLL
      for (int s = 0; s < 2; ++s) {
        const auto all =
            *reinterpret_cast<const floats4*>(from + 128 * s + 16 * g);
        scales[s][0] = all.x, scales[s][1] = all.y;
        minima[s][0] = all.z, minima[s][1] = all.w;
      }
    }
  }

  SLUICE_DEVICE static void multiply_dense(float (&sum)[4],
                                           const std::uint32_t (&a)[4],
                                           const std::uint32_t (&b)[2]) {
    if constexpr (Form == weight_form::f16)
      multiply_f16(sum, a, b);
    else
      multiply_bf16(sum, a, b);
  }

  SLUICE_DEVICE void add(float (&sum)[4], const float (&block)[4], int s,
                         const x_sums<Form>& sums) const {
    SLUICE_UNROLL
    for (int i = 0; i < 4; ++i) {
      sum[i] = fma(scales[s][i / 2], block[i], sum[i]);
      if constexpr (Form == weight_form::q4_k)
        sum[i] = fma(-minima[s][i / 2], sums.of[i % 2], sum[i]);
      if constexpr (Form == weight_form::block8)
        sum[i] = fma(minima[s][i / 2], sums.of[2 * s + i % 2], sum[i]);
    }
  }
};

/// What a form's products are summed in.
template <weight_form Form>
struct sum_type {
  using type = float;
};
template <>
struct sum_type<weight_form::w8a8> {
  using type = std::int32_t;
};
template <weight_form Form>
using sum_of = typename sum_type<Form>::type;

} // namespace sluice::cuda

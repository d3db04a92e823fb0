// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

/// IEEE binary16 and bfloat16 conversions: widening is exact, narrowing
/// rounds to nearest even, overflows to infinity and keeps NaN a NaN.
float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_f16(float value);
float bf16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_bf16(float value);

/// The 8-bit float of the Open Compute Project: sign, 4 bits of exponent, bias
/// 7, 3 of mantissa; 448 at most, no infinities, 0x7f and 0xff are NaN.
/// Narrowing rounds to nearest even, goes no further than 448 and makes every
/// NaN 0x7f, as a GPU's cvt.rn.satfinite does.
/// @source OCP 8-bit Floating Point Specification 1.0, section 5.
float f8_e4m3_to_f32(std::uint8_t code);
std::uint8_t f32_to_f8_e4m3(float value);
inline constexpr float largest_f8_e4m3 = 448;

/// The types that a weight matrix can have: all that `dequantize_row` takes.
std::span<const dtype> weight_types();

/// "q4_k" -> dtype::q4_k.
/// @return nothing for a name that is no weight type's.
std::optional<dtype> parse_weight_type(std::string_view name);

/// "f32, f16, bf16, ..": for help and error texts.
std::string weight_type_list();

/// Whether `quantize_row` takes these values: any for f32, f16, bf16 and
/// f8_e4m3, finite ones for w8a8 and fp8, and up to the largest half, 65504, in
/// a block format.
bool quantisable(dtype type, std::span<const float> values);

/// Expands packed elements to f32. formats/block_codec.hpp describes the bits.
/// @param type  any but i32 and i8.
/// @param data  row_bytes(type, out.size()) bytes, any alignment.
/// @param out   a multiple of block_elements(type) elements; one row of w8a8
///              or fp8.
/// @throws contract_violation for i32, i8 or a partial block.
void dequantize_row(dtype type, const std::byte* data, std::span<float> out);

/// Packs f32 elements; the inverse of `dequantize_row` up to rounding. The
/// same values give the same bytes on every machine. q8_0 to q5_1 take the
/// published encoders' rule (q8_0, w8a8: scale = largest magnitude / 127, fp8:
/// / 448; q4_0, q5_0: the element of largest magnitude is exact up to the half;
/// q4_1, q5_1: lowest and highest are); the others search the scale of least
/// error.
/// @param in    a multiple of block_elements(type) elements, `quantisable`.
/// @param data  room for row_bytes(type, in.size()) bytes, any alignment.
/// @throws contract_violation for i32, i8, a partial block or an element that
///         is not quantisable.
/// @source ggml's reference quantisers define the same formats.
void quantize_row(dtype type, std::span<const float> in, std::byte* data);

} // namespace sluice

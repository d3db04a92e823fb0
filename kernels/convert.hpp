// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

#include <span>

namespace sluice {

/// IEEE binary16 and bfloat16 conversions: widening is exact, narrowing
/// rounds to nearest even, overflows to infinity and keeps NaN a NaN.
float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_f16(float value);
float bf16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_bf16(float value);

/// Expands packed elements to f32.
/// @param type  any but i32.
/// @param data  row_bytes(type, out.size()) bytes, any alignment.
/// @param out   a multiple of block_elements(type) elements.
/// @throws contract_violation for i32 or a partial block.
void dequantize_row(dtype type, const std::byte* data, std::span<float> out);

/// Packs f32 elements; the inverse of `dequantize_row` up to rounding.
/// q8_0: scale = largest magnitude / 127. q4_0: scale = the element of largest
/// magnitude / -8, so that this element is exact up to the f16 scale.
/// @param in    a multiple of block_elements(type) elements;
///              finite for q8_0 and q4_0.
/// @param data  room for row_bytes(type, in.size()) bytes, any alignment.
/// @throws contract_violation for i32, a partial block, or a block format
///         and an element that is not finite.
/// @source ggml's reference quantisers define the same formats.
void quantize_row(dtype type, std::span<const float> in, std::byte* data);

} // namespace sluice

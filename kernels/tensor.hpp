// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

/// Storage formats of weights, activations and cache entries. The block formats
/// of GGUF files are described, each with its layout, in convert.hpp.
/// `w8a8`: a row of int8 and, behind it, one f32 scale of the whole row; `fp8`:
/// the same of f8_e4m3, the 8-bit float of 4 exponent and 3 mantissa bits.
/// @source the GGUF specification; ggml's block structures.
enum class dtype : std::uint8_t {
  f32,
  f16,
  bf16,
  q8_0,
  q4_0,
  i32,
  i8,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  w8a8,
  f8_e4m3,
  fp8
};

/// Whether elements in a KV cache or an operand stand beside a scale, one for
/// each head of a position or for each row: element = stored * scale.
constexpr bool is_scaled(dtype type) {
  return type == dtype::i8 || type == dtype::f8_e4m3;
}

/// Elements per storage block: 32 or 256 for the block formats, 1 otherwise.
std::int64_t block_elements(dtype type);

/// Bytes per storage block, e.g. 34 for q8_0 and 4 for f32.
std::size_t block_bytes(dtype type);

/// Bytes of one stored row.
/// @param columns  elements, >= 0, a multiple of `block_elements(type)`.
/// @throws contract_violation on a partial block or an overflow.
std::size_t row_bytes(dtype type, std::int64_t columns);

/// The lower-case name, as in "q8_0".
std::string_view name(dtype type);

/// How a weight matrix lies in memory: `rows` as in the file, row after row, at
/// any alignment; `panels` as `op_table::packing` of one path wrote it.
enum class weight_layout : std::uint8_t { rows, panels };

/// A weight matrix [rows = N outputs, columns = K inputs], read-only and not
/// owned.
struct matrix_view {
  const std::byte* data = nullptr;
  dtype type = dtype::f32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::size_t row_stride_bytes = 0; // rows: at least row_bytes(type, columns);
                                    // panels: the bytes of one panel
  weight_layout layout = weight_layout::rows;
};

/// Activations: f32 [rows, columns], row-major, not owned. A stride larger
/// than `columns` selects a part of a wider buffer (the q of a q|k|v row).
struct activations {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t row_stride = 0; // elements, at least `columns`
};

/// The KV cache of one layer, not owned: K and V each
/// [pages, kv_heads, page_tokens, head_dim], contiguous. Of i8 and f8_e4m3 each
/// head of a position has a scale: element = stored * scale, whatever else its
/// page holds. Without one, 8-bit floats would lose what is below 2^-6, as many
/// values are, and cut off what is above 448, as some models' keys are.
struct kv_view {
  std::byte* k = nullptr;
  std::byte* v = nullptr;
  dtype type = dtype::f16; // f32, f16, bf16, i8 or f8_e4m3
  std::int64_t pages = 0;
  std::int64_t kv_heads = 0;
  std::int64_t page_tokens = 0; // a power of two, 8..128
  std::int64_t head_dim = 0;
  float* k_scales = nullptr; // is_scaled(): [pages, kv_heads, page_tokens]
  float* v_scales = nullptr;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice {

/// Storage formats of weights, activations and cache entries.
/// `q8_0`: blocks of 32, {f16 scale, 32 x int8}, 34 bytes.
/// `q4_0`: blocks of 32, {f16 scale, 16 bytes}, 18 bytes; the low nibbles are
/// elements 0..15, the high ones 16..31; value = (nibble - 8) * scale.
/// @source the GGUF specification, ggml tensor types 8 and 2.
enum class dtype : std::uint8_t { f32, f16, bf16, q8_0, q4_0, i32 };

/// Elements per storage block: 32 for the quantised formats, 1 otherwise.
std::int64_t block_elements(dtype type);

/// Bytes per storage block, e.g. 34 for q8_0 and 4 for f32.
std::size_t block_bytes(dtype type);

/// Bytes of one packed row.
/// @param columns  elements, >= 0, a multiple of `block_elements(type)`.
/// @throws contract_violation on a partial block or an overflow.
std::size_t row_bytes(dtype type, std::int64_t columns);

/// The lower-case name, as in "q8_0".
std::string_view name(dtype type);

/// A weight matrix [rows = N outputs, columns = K inputs], row-major,
/// read-only and not owned; rows may lie at any alignment.
struct matrix_view {
  const std::byte* data = nullptr;
  dtype type = dtype::f32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::size_t row_stride_bytes = 0; // at least row_bytes(type, columns)
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
/// [pages, kv_heads, page_tokens, head_dim], contiguous.
struct kv_view {
  std::byte* k = nullptr;
  std::byte* v = nullptr;
  dtype type = dtype::f16; // f32, f16 or bf16
  std::int64_t pages = 0;
  std::int64_t kv_heads = 0;
  std::int64_t page_tokens = 0; // a power of two, 8..128
  std::int64_t head_dim = 0;
};

} // namespace sluice

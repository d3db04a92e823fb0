// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"
#include "memory/page_pool.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace sluice {

/// Sizes of a KV store.
struct kv_shape {
  std::uint32_t layers = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t pages = 0;
  std::uint32_t page_tokens = 16; ///< a power of two, 8..128
  dtype type = dtype::f16;        ///< f32, f16, bf16, i8 or f8_e4m3
};

/// The type that a configuration or a flag names: f16, bf16, f32, i8 or, as
/// others name it too, fp8, which is f8_e4m3.
std::optional<dtype> parse_kv_type(std::string_view name);
std::string_view kv_type_name(dtype type);

/// Bytes of K and V of all layers, the scales of i8 and fp8 included.
/// @throws contract_violation for a shape that no kernel takes,
///         memory_error if the size does not fit 63 bits.
std::uint64_t kv_store_bytes(const kv_shape& shape);

/// Bytes of one page: K and V of all layers, scales included.
/// @throws as kv_store_bytes().
std::uint64_t kv_page_bytes(const kv_shape& shape);

/// Where one layer lies in the kv_store_bytes() of a store, on whatever device:
/// K and V each [pages, kv_heads, page_tokens, head_dim], and behind them, of
/// i8 and fp8, the scales of K and of V, each [pages, kv_heads, page_tokens].
/// @throws contract_violation if there is no such layer.
kv_view kv_layer(const kv_shape& shape, std::byte* store, std::uint32_t layer);

/// Calls `part` with the pieces of one page, each contiguous: per layer K, V
/// and the scales of K and of V.
/// @throws contract_violation for a page outside the store.
void for_each_page_part(
    const kv_shape& shape, std::byte* store, page_id page,
    const std::function<void(std::byte* data, std::size_t bytes)>& part);

} // namespace sluice

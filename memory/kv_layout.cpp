// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_layout.hpp"

#include "kernels/check.hpp"
#include "memory/mapping.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <string>

namespace sluice {

namespace {

constexpr dtype kv_types[] = {dtype::f32, dtype::f16, dtype::bf16, dtype::i8,
                              dtype::f8_e4m3};

void check(const kv_shape& shape) {
  require(shape.layers > 0 && shape.kv_heads > 0 && shape.head_dim > 0 &&
              shape.pages > 0,
          "kv_store: layers, heads, head_dim and pages are at least 1");
  require(std::has_single_bit(shape.page_tokens) && shape.page_tokens >= 8 &&
              shape.page_tokens <= 128,
          "kv_store: page_tokens is a power of two from 8 to 128; the usual "
          "value is 16");
  require(std::ranges::find(kv_types, shape.type) != std::end(kv_types),
          "kv_store: the cache type is f32, f16, bf16, i8 or fp8");
}

std::uint64_t rows_of(const kv_shape& shape) {
  return std::uint64_t{shape.pages} * shape.page_tokens;
}

std::uint64_t scale_bytes(const kv_shape& shape) {
  return is_scaled(shape.type) ? sizeof(float) : 0;
}

/// K and V of one layer.
std::uint64_t layer_bytes(const kv_shape& shape) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto head = std::uint64_t{shape.head_dim} * block_bytes(shape.type) +
                    scale_bytes(shape);
  unsigned __int128 bytes = rows_of(shape) * 2;
  for (const auto factor : {std::uint64_t{shape.kv_heads}, head})
    if (bytes <= most)
      bytes *= factor;
  if (bytes > most || bytes * shape.layers > most)
    throw memory_error{"kv_store: " + std::to_string(shape.pages) +
                       " pages of " + std::to_string(shape.page_tokens) +
                       " tokens for " + std::to_string(shape.layers) +
                       " layers overflow 63 bits; ask for fewer pages"};
  return static_cast<std::uint64_t>(bytes);
}

} // namespace

std::string_view kv_type_name(dtype type) {
  return type == dtype::f8_e4m3 ? "fp8" : name(type);
}

std::optional<dtype> parse_kv_type(std::string_view text) {
  const auto* found = std::ranges::find(kv_types, text, kv_type_name);
  return found == std::end(kv_types) ? std::nullopt : std::optional{*found};
}

std::uint64_t kv_store_bytes(const kv_shape& shape) {
  check(shape);
  return layer_bytes(shape) * shape.layers;
}

std::uint64_t kv_page_bytes(const kv_shape& shape) {
  return kv_store_bytes(shape) / shape.pages;
}

kv_view kv_layer(const kv_shape& shape, std::byte* store, std::uint32_t layer) {
  require(layer < shape.layers, "kv_store: there is no such layer");
  const auto heads = rows_of(shape) * shape.kv_heads;
  const auto half = heads * shape.head_dim * block_bytes(shape.type);
  auto* k = store + layer * layer_bytes(shape);
  const bool scaled = is_scaled(shape.type);
  auto* scales = scaled ? reinterpret_cast<float*>(k + 2 * half) : nullptr;
  return {.k = k,
          .v = k + half,
          .type = shape.type,
          .pages = shape.pages,
          .kv_heads = shape.kv_heads,
          .page_tokens = shape.page_tokens,
          .head_dim = shape.head_dim,
          .k_scales = scales,
          .v_scales = scaled ? scales + heads : nullptr};
}

void for_each_page_part(
    const kv_shape& shape, std::byte* store, page_id page,
    const std::function<void(std::byte* data, std::size_t bytes)>& part) {
  require(page < shape.pages, "kv_store: there is no such page");
  const auto rows = std::size_t{shape.kv_heads} * shape.page_tokens;
  const auto value_bytes = rows * shape.head_dim * block_bytes(shape.type);
  const auto see = [&](void* array, std::size_t size) {
    part(static_cast<std::byte*>(array) + page * size, size);
  };
  for (std::uint32_t index = 0; index < shape.layers; ++index) {
    const auto view = kv_layer(shape, store, index);
    see(view.k, value_bytes);
    see(view.v, value_bytes);
    if (view.k_scales) {
      see(view.k_scales, rows * sizeof(float));
      see(view.v_scales, rows * sizeof(float));
    }
  }
}

} // namespace sluice

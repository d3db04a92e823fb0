// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_store.hpp"

#include "kernels/check.hpp"

#include <bit>
#include <cstring>
#include <limits>
#include <string>

namespace sluice {

namespace {

void check(const kv_shape& shape) {
  require(shape.layers > 0 && shape.kv_heads > 0 && shape.head_dim > 0 &&
              shape.pages > 0,
          "kv_store: layers, heads, head_dim and pages are at least 1");
  require(std::has_single_bit(shape.page_tokens) && shape.page_tokens >= 8 &&
              shape.page_tokens <= 128,
          "kv_store: page_tokens is a power of two from 8 to 128; the usual "
          "value is 16");
  require(shape.type == dtype::f32 || shape.type == dtype::f16 ||
              shape.type == dtype::bf16 || shape.type == dtype::i8,
          "kv_store: the cache type is f32, f16, bf16 or i8");
}

std::uint64_t rows_of(const kv_shape& shape) {
  return std::uint64_t{shape.pages} * shape.page_tokens;
}

std::uint64_t scale_bytes(const kv_shape& shape) {
  return shape.type == dtype::i8 ? sizeof(float) : 0;
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

std::uint64_t kv_store_bytes(const kv_shape& shape) {
  check(shape);
  return layer_bytes(shape) * shape.layers;
}

std::uint64_t kv_page_bytes(const kv_shape& shape) {
  return kv_store_bytes(shape) / shape.pages;
}

kv_store::kv_store(const kv_shape& shape)
    : shape_{shape}, layer_bytes_{kv_store_bytes(shape) / shape.layers},
      memory_{kv_store_bytes(shape),
              "KV cache of " + std::to_string(shape.pages) + " pages"} {}

kv_view kv_store::layer(std::uint32_t index) const {
  require(index < shape_.layers, "kv_store: there is no such layer");
  const auto heads = rows_of(shape_) * shape_.kv_heads;
  const auto half = heads * shape_.head_dim * block_bytes(shape_.type);
  auto* k = memory_.data() + index * layer_bytes_;
  const bool scaled = shape_.type == dtype::i8;
  auto* scales = scaled ? reinterpret_cast<float*>(k + 2 * half) : nullptr;
  return {.k = k,
          .v = k + half,
          .type = shape_.type,
          .pages = shape_.pages,
          .kv_heads = shape_.kv_heads,
          .page_tokens = shape_.page_tokens,
          .head_dim = shape_.head_dim,
          .k_scales = scales,
          .v_scales = scaled ? scales + heads : nullptr};
}

// -- pages
// ----------------------------------------------------------------------

/// A page's bytes are contiguous in each of the two or four arrays of a layer.
template <class Part>
void kv_store::for_each_part(page_id page, Part&& part) const {
  require(page < shape_.pages, "kv_store: there is no such page");
  const auto rows = std::size_t{shape_.kv_heads} * shape_.page_tokens;
  const auto value_bytes = rows * shape_.head_dim * block_bytes(shape_.type);
  const auto see = [&](void* array, std::size_t size) {
    part(std::span{static_cast<std::byte*>(array) + page * size, size});
  };
  for (std::uint32_t index = 0; index < shape_.layers; ++index) {
    const auto view = layer(index);
    see(view.k, value_bytes);
    see(view.v, value_bytes);
    if (view.k_scales) {
      see(view.k_scales, rows * sizeof(float));
      see(view.v_scales, rows * sizeof(float));
    }
  }
}

void kv_store::copy_page(page_id from, page_id to) {
  require(to < shape_.pages, "kv_store: there is no such page");
  if (from == to)
    return;
  for_each_part(from, [&](std::span<std::byte> part) {
    const auto distance = (std::ptrdiff_t{to} - std::ptrdiff_t{from}) *
                          static_cast<std::ptrdiff_t>(part.size());
    std::memcpy(part.data() + distance, part.data(), part.size());
  });
}

void kv_store::save_page(page_id page, std::span<std::byte> bytes) const {
  require(bytes.size() == kv_page_bytes(shape_),
          "kv_store: a saved page has kv_page_bytes() bytes");
  for_each_part(page, [&](std::span<const std::byte> part) {
    std::memcpy(bytes.data(), part.data(), part.size());
    bytes = bytes.subspan(part.size());
  });
}

void kv_store::restore_page(page_id page, std::span<const std::byte> bytes) {
  require(bytes.size() == kv_page_bytes(shape_),
          "kv_store: a saved page has kv_page_bytes() bytes");
  for_each_part(page, [&](std::span<std::byte> part) {
    std::memcpy(part.data(), bytes.data(), part.size());
    bytes = bytes.subspan(part.size());
  });
}

} // namespace sluice

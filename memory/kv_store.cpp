// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_store.hpp"

#include "kernels/check.hpp"

#include <bit>
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
              shape.type == dtype::bf16,
          "kv_store: the cache type is f32, f16 or bf16");
}

/// K, or V, of one layer; nothing if it does not fit.
std::uint64_t half_bytes(const kv_shape& shape) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  unsigned __int128 bytes = block_bytes(shape.type);
  bytes *= shape.pages;
  bytes *= shape.page_tokens;
  for (const auto factor : {shape.kv_heads, shape.head_dim})
    if (bytes <= most)
      bytes *= factor;
  if (bytes * 2 > most || bytes * 2 * shape.layers > most)
    throw memory_error{"kv_store: " + std::to_string(shape.pages) +
                       " pages of " + std::to_string(shape.page_tokens) +
                       " tokens for " + std::to_string(shape.layers) +
                       " layers overflow 63 bits; ask for fewer pages"};
  return static_cast<std::uint64_t>(bytes);
}

} // namespace

std::uint64_t kv_store_bytes(const kv_shape& shape) {
  check(shape);
  return half_bytes(shape) * 2 * shape.layers;
}

kv_store::kv_store(const kv_shape& shape)
    : shape_{shape}, half_bytes_{kv_store_bytes(shape) / 2 / shape.layers},
      memory_{kv_store_bytes(shape),
              "KV cache of " + std::to_string(shape.pages) + " pages"} {}

kv_view kv_store::layer(std::uint32_t index) const {
  require(index < shape_.layers, "kv_store: there is no such layer");
  auto* k = memory_.data() + std::uint64_t{index} * 2 * half_bytes_;
  return {.k = k,
          .v = k + half_bytes_,
          .type = shape_.type,
          .pages = shape_.pages,
          .kv_heads = shape_.kv_heads,
          .page_tokens = shape_.page_tokens,
          .head_dim = shape_.head_dim};
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/page_data.hpp"

#include <utility>

namespace sluice::bench {
namespace {

constexpr std::uint32_t pages_at_once = 128; // beyond all caches

} // namespace

pages_on_gpu::pages_on_gpu(const model_shape& shape, dtype cache_type,
                           cuda::stream& in)
    : shape_{.layers = 32,
             .kv_heads = static_cast<std::uint32_t>(shape.kv_heads),
             .head_dim = static_cast<std::uint32_t>(shape.head_dim),
             .pages = 2 * pages_at_once,
             .page_tokens = 16,
             .type = cache_type},
      cache_{kv_store_bytes(shape_)},
      slots_{kv_page_bytes(shape_) * pages_at_once}, host_{slots_.bytes()} {
  in.fill(cache_.data(), 0, cache_.bytes());
  in.fill(slots_.data(), 0, slots_.bytes());
  for (std::uint32_t i = 0; i < pages_at_once; ++i) // far apart, as in use
    moves_.push_back({2 * (i * 37 % pages_at_once), i});
}

void pages_on_gpu::move(cuda::page_route route, cuda::stream& in) const {
  auto moves = moves_;
  for (auto& each : moves) {
    if (route == cuda::page_route::within_cache)
      each.to = each.from + 1;
    if (route == cuda::page_route::from_slots)
      std::swap(each.from, each.to);
  }
  cuda::move_pages(
      {.first_layer = kv_layer(shape_, cache_.data(), 0),
       .layers = shape_.layers,
       .layer_bytes = static_cast<std::int64_t>(cache_.bytes() / shape_.layers),
       .slots = slots_.data(),
       .slot_count = pages_at_once,
       .route = route,
       .moves = moves},
      in);
}

void pages_on_gpu::to_host(cuda::stream& in) const {
  in.copy(host_.data(), slots_.data(), slots_.bytes());
}

void pages_on_gpu::from_host(cuda::stream& in) const {
  in.copy(slots_.data(), host_.data(), slots_.bytes());
}

} // namespace sluice::bench

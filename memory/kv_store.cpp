// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_store.hpp"

#include "kernels/check.hpp"

#include <cstring>
#include <string>

namespace sluice {

kv_store::kv_store(const kv_shape& shape)
    : shape_{shape}, memory_{kv_store_bytes(shape),
                             "KV cache of " + std::to_string(shape.pages) +
                                 " pages"} {}

kv_view kv_store::layer(std::uint32_t index) const {
  return kv_layer(shape_, memory_.data(), index);
}

void kv_store::copy_page(page_id from, page_id to) {
  require(to < shape_.pages, "kv_store: there is no such page");
  if (from == to)
    return;
  for_each_page_part(
      shape_, memory_.data(), from, [&](std::byte* part, std::size_t size) {
        const auto distance = (std::ptrdiff_t{to} - std::ptrdiff_t{from}) *
                              static_cast<std::ptrdiff_t>(size);
        std::memcpy(part + distance, part, size);
      });
}

void kv_store::save_page(page_id page, std::span<std::byte> bytes) const {
  require(bytes.size() == kv_page_bytes(shape_),
          "kv_store: a saved page has kv_page_bytes() bytes");
  for_each_page_part(shape_, memory_.data(), page,
                     [&](const std::byte* part, std::size_t size) {
                       std::memcpy(bytes.data(), part, size);
                       bytes = bytes.subspan(size);
                     });
}

void kv_store::restore_page(page_id page, std::span<const std::byte> bytes) {
  require(bytes.size() == kv_page_bytes(shape_),
          "kv_store: a saved page has kv_page_bytes() bytes");
  for_each_page_part(shape_, memory_.data(), page,
                     [&](std::byte* part, std::size_t size) {
                       std::memcpy(part, bytes.data(), size);
                       bytes = bytes.subspan(size);
                     });
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_layout.hpp"
#include "memory/mapping.hpp"

#include <cstdint>
#include <span>

namespace sluice {

/// The bytes of the KV cache of one lane in this machine's memory, as
/// kv_layer() says. Pages that were never written cost no memory.
class kv_store {
public:
  /// @throws as kv_store_bytes(); memory_error if the memory cannot be had.
  explicit kv_store(const kv_shape& shape);

  /// K and V of one layer.
  /// @throws contract_violation if there is no such layer.
  kv_view layer(std::uint32_t index) const;

  /// Makes one page as another: K, V and scales of all layers.
  /// @throws contract_violation for a page outside the store.
  void copy_page(page_id from, page_id to);

  /// Writes a page's bytes to host memory, and reads them back: per layer K, V
  /// and the scales of K and of V.
  /// @param bytes  kv_page_bytes(shape()) of them.
  /// @throws contract_violation for a page outside the store or another size.
  void save_page(page_id page, std::span<std::byte> bytes) const;
  void restore_page(page_id page, std::span<const std::byte> bytes);

  const kv_shape& shape() const noexcept { return shape_; }
  std::uint64_t bytes() const noexcept { return memory_.bytes(); }

private:
  kv_shape shape_;
  mapping memory_;
};

} // namespace sluice

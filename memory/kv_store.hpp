// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"
#include "memory/mapping.hpp"
#include "memory/page_pool.hpp"

#include <cstdint>
#include <span>

namespace sluice {

/// Sizes of a KV store.
struct kv_shape {
  std::uint32_t layers = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t pages = 0;
  std::uint32_t page_tokens = 16; ///< a power of two, 8..128
  dtype type = dtype::f16;        ///< f32, f16, bf16 or i8
};

/// Bytes of K and V of all layers, the scales of i8 included.
/// @throws contract_violation for a shape that no kernel takes,
///         memory_error if the size does not fit 63 bits.
std::uint64_t kv_store_bytes(const kv_shape& shape);

/// Bytes of one page: K and V of all layers, scales included.
/// @throws as kv_store_bytes().
std::uint64_t kv_page_bytes(const kv_shape& shape);

/// The bytes of the KV cache of one lane: per layer, K and V each
/// [pages, kv_heads, page_tokens, head_dim], and behind them, of i8, the scales
/// of K and of V, each [pages, kv_heads, page_tokens]. Pages that were never
/// written cost no memory.
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
  template <class Part> // (std::span<std::byte> of one page in one layer)
  void for_each_part(page_id page, Part&& part) const;

  kv_shape shape_;
  std::uint64_t layer_bytes_;
  mapping memory_;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"
#include "memory/mapping.hpp"

#include <cstdint>

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

  const kv_shape& shape() const noexcept { return shape_; }
  std::uint64_t bytes() const noexcept { return memory_.bytes(); }

private:
  kv_shape shape_;
  std::uint64_t layer_bytes_;
  mapping memory_;
};

} // namespace sluice

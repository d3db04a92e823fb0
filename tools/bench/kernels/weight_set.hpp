// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "kernels/ops.hpp"
#include "memory/mapping.hpp"

namespace sluice::bench {

/// Shape of a weight matrix: [rows = outputs, columns = inputs].
struct matrix_shape {
  std::int64_t rows;
  std::int64_t columns;
};

/// Random weights of many equal layers, laid out as a path wants them, and so
/// many that they lie in memory and not in a cache.
class weight_set {
public:
  /// @param matrices   of one layer.
  /// @param least_bytes  all layers together; there are at least two.
  /// @throws contract_violation for a type that has no random weights or whose
  ///         blocks do not divide the columns, memory_error.
  weight_set(dtype type, std::span<const matrix_shape> matrices,
             std::uint64_t least_bytes, const weight_packing& packing,
             thread_pool& pool);

  /// The layers take turns.
  std::span<const matrix_view> next_layer();

  std::uint64_t layer_bytes() const { return layer_bytes_; }
  weight_layout layout() const { return layers_.front().front().layout; }

private:
  void place(dtype type, std::span<const matrix_shape> matrices,
             const weight_packing& packing);
  void copy_first_layer(thread_pool& pool);

  std::uint64_t layer_bytes_ = 0;
  mapping memory_;
  std::vector<std::vector<matrix_view>> layers_;
  std::size_t next_ = 0;
};

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"

#include <string>
#include <vector>

namespace sluice::test {

/// A path under test: every one that this CPU runs besides the oracle, and
/// the emulated avx512 where the build has it.
struct path {
  std::string name;
  const op_table* ops;
};

std::vector<path> paths();

/// The scalar oracle.
const op_table& oracle();

/// `count` floats, uniform in [-scale, scale), the same for the same seed.
std::vector<float> random_floats(std::int64_t count, std::uint32_t seed,
                                 float scale = 1);

/// An owned f32 buffer and its view.
struct rows {
  rows(std::int64_t height, std::int64_t width);
  rows(std::int64_t height, std::int64_t width, std::uint32_t seed,
       float scale = 1);
  activations view();
  /// `count` rows from `first` on.
  activations view(std::int64_t first, std::int64_t count);

  std::int64_t height;
  std::int64_t width;
  std::vector<float> values;
};

/// An owned weight matrix of any dtype with random values.
struct weights {
  weights(dtype type, std::int64_t height, std::int64_t width,
          std::uint32_t seed);
  matrix_view view() const;

  dtype type;
  std::int64_t height;
  std::int64_t width;
  std::vector<std::byte> bytes;
};

/// 64-byte aligned scratch memory.
struct scratch {
  explicit scratch(std::size_t bytes);
  std::span<std::byte> span();

  std::size_t size;
  std::vector<std::byte> bytes;
};

/// A weight matrix as a path packs it at load.
struct packed_weights {
  packed_weights(const matrix_view& rows, const weight_packing& packing);
  matrix_view view();

  matrix_view shape; // without data
  scratch bytes;
};

/// Whether a path packs weights of this type and row length.
bool packs(const op_table& ops, dtype type, std::int64_t columns);

/// The largest |a - b| divided by the largest |b| (by 1 if all of b is 0).
/// Infinite if the sizes differ or a NaN stands on one side only.
double relative_difference(const std::vector<float>& a,
                           const std::vector<float>& b);

/// Whether every byte is the same.
bool same_bytes(const std::vector<float>& a, const std::vector<float>& b);

} // namespace sluice::test

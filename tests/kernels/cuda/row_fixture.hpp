// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "tests/kernels/cuda/device_array.hpp"

#include <cstdint>
#include <limits>
#include <vector>

// Rows on the device and what the oracle says of them, for tests of ops that
// work on rows.

namespace sluice::test {

inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
inline constexpr float infinity = std::numeric_limits<float>::infinity();

/// `count` floats in [-scale, scale), the same for the same seed.
std::vector<float> uniform_floats(std::size_t count, std::uint32_t seed,
                                  float scale = 1);

/// f32 rows on the host and on the device, there with a stride of their own.
class device_matrix {
public:
  device_matrix(cuda::stream& in, std::int64_t columns,
                std::vector<float> values, std::int64_t padding = 0);
  /// NaNs.
  device_matrix(cuda::stream& in, std::int64_t rows, std::int64_t columns);

  cuda::device_rows view() const;
  cuda::device_rows view(std::int64_t first, std::int64_t count) const;
  /// What the host gave; the oracle reads it.
  activations host();
  /// What the device has now, without padding.
  std::vector<float> values() const;

private:
  std::int64_t columns_;
  std::int64_t stride_;
  std::vector<float> host_;
  device_array<float> device_;
};

/// An operand on the device.
class device_operand {
public:
  device_operand(cuda::stream& in, dtype type, std::int64_t rows,
                 std::int64_t columns);
  cuda::operand view() const;
  cuda::operand view(std::int64_t first, std::int64_t count) const;
  /// Widened to f32.
  std::vector<float> values() const;
  std::vector<std::byte> bytes() const { return data_.values(); }
  std::vector<float> scales() const { return scales_.values(); }

private:
  dtype type_;
  std::int64_t rows_;
  std::int64_t columns_;
  device_array<std::byte> data_;
  device_array<float> scales_;
};

/// Checks every element: half a step of its type from what is expected, and a
/// little for the order of sums. A row of bytes with a NaN must have a NaN
/// scale.
void check_rounded(const device_operand& out, const std::vector<float>& wanted,
                   std::int64_t columns);

} // namespace sluice::test

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/convert.hpp"
#include "kernels/cuda/device_weight.hpp"

#include <random>
#include <vector>

namespace sluice::test {

/// Uniform in [-1, 1), the same for the same seed.
inline std::vector<float> uniform_floats(std::int64_t count,
                                         std::uint32_t seed) {
  std::mt19937 chance{seed};
  std::vector<float> values(static_cast<std::size_t>(count));
  for (auto& value : values)
    value = static_cast<float>(chance() >> 8) * 0x1p-23f - 1.0f;
  return values;
}

/// A weight matrix as a file holds it.
struct file_weight {
  file_weight(dtype type, std::int64_t rows, std::int64_t columns,
              std::uint32_t seed)
      : type{type}, rows{rows}, columns{columns}, stride{row_bytes(type,
                                                                   columns)},
        bytes(static_cast<std::size_t>(rows) * stride) {
    for (std::int64_t n = 0; n < rows; ++n)
      quantize_row(
          type,
          uniform_floats(columns, seed + 977 * static_cast<std::uint32_t>(n)),
          row(n));
  }

  std::byte* row(std::int64_t n) {
    return bytes.data() + static_cast<std::size_t>(n) * stride;
  }

  matrix_view view() const {
    return {.data = bytes.data(),
            .type = type,
            .rows = rows,
            .columns = columns,
            .row_stride_bytes = stride};
  }

  std::vector<float> widened(std::int64_t n) const {
    std::vector<float> out(static_cast<std::size_t>(columns));
    dequantize_row(type, bytes.data() + static_cast<std::size_t>(n) * stride,
                   out);
    return out;
  }

  std::vector<std::byte> packed() const {
    std::vector<std::byte> out(
        cuda::device_weight_bytes(cuda::form_of(type), rows, columns));
    cuda::pack_device_weight(view(), out);
    return out;
  }

  dtype type;
  std::int64_t rows;
  std::int64_t columns;
  std::size_t stride;
  std::vector<std::byte> bytes;
};

} // namespace sluice::test

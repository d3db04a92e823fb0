// SPDX-License-Identifier: Apache-2.0
// w8a8 and fp8: one scale for the whole row (an output channel).
#include "kernels/convert.hpp"
#include "kernels/formats/block_codec.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::formats {

void expand_w8a8_row(const std::byte* row, float* out, std::size_t columns) {
  float scale;
  std::memcpy(&scale, row + columns, sizeof scale);
  for (std::size_t i = 0; i < columns; ++i)
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(row[i]));
}

namespace {

/// What brings the row's largest magnitude to `most`; 0 if that has no finite
/// inverse: the row counts as zero.
float scale_of(const float* in, std::size_t columns, float most) {
  float largest = 0;
  for (std::size_t i = 0; i < columns; ++i)
    largest = std::max(largest, std::fabs(in[i]));
  const float scale = largest / most;
  return std::isnormal(scale) ? scale : 0;
}

} // namespace

void pack_w8a8_row(const float* in, std::byte* row, std::size_t columns) {
  const float scale = scale_of(in, columns, 127);
  const float inverse = scale > 0 ? 1 / scale : 0.0f;
  for (std::size_t i = 0; i < columns; ++i)
    row[i] =
        static_cast<std::byte>(static_cast<int>(std::round(in[i] * inverse)));
  std::memcpy(row + columns, &scale, sizeof scale);
}

void expand_fp8_row(const std::byte* row, float* out, std::size_t columns) {
  float scale;
  std::memcpy(&scale, row + columns, sizeof scale);
  for (std::size_t i = 0; i < columns; ++i)
    out[i] = scale * f8_e4m3_to_f32(std::to_integer<std::uint8_t>(row[i]));
}

void pack_fp8_row(const float* in, std::byte* row, std::size_t columns) {
  const float scale = scale_of(in, columns, largest_f8_e4m3);
  for (std::size_t i = 0; i < columns; ++i)
    row[i] =
        scale > 0 ? std::byte{f32_to_f8_e4m3(in[i] / scale)} : std::byte{0};
  std::memcpy(row + columns, &scale, sizeof scale);
}

} // namespace sluice::formats

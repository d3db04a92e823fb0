// SPDX-License-Identifier: Apache-2.0
// w8a8: one scale for the whole row (an output channel).
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

void pack_w8a8_row(const float* in, std::byte* row, std::size_t columns) {
  float largest = 0;
  for (std::size_t i = 0; i < columns; ++i)
    largest = std::max(largest, std::fabs(in[i]));
  float scale = largest / 127.0f;
  if (!std::isnormal(scale)) // no finite inverse: the row counts as zero
    scale = 0;
  const float inverse = scale > 0 ? 1 / scale : 0.0f;
  for (std::size_t i = 0; i < columns; ++i)
    row[i] =
        static_cast<std::byte>(static_cast<int>(std::round(in[i] * inverse)));
  std::memcpy(row + columns, &scale, sizeof scale);
}

} // namespace sluice::formats

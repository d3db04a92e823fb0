// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

namespace sluice::cuda {

/// 256 elements of any GGUF type as x = scale[i / 16] * code[i] + minimum[i /
/// 16]. The product of a scale and a sub-scale is exact in f32.
struct block8_group {
  std::int8_t codes[256];
  float scales[16];
  float minima[16];
};

/// As read_group of row_group.hpp.
/// @param type  of the form block8.
block8_group read_block8(dtype type, const std::byte* row, std::int64_t columns,
                         std::int64_t group);

} // namespace sluice::cuda

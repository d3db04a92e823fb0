// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

namespace sluice {

/// 256 neighbouring elements of a quantised row, taken apart: every code in a
/// byte of its own, unsigned, and the scales that go with it. Which of them
/// are set depends on the type; the last group of a row may be shorter, and
/// the rest of it is 0.
struct row_group {
  std::uint8_t codes[256];
  std::uint16_t d;         // f16 scale of all 256 (K types, iq4_xs)
  std::uint16_t dmin;      // f16 scale of the mins
  std::uint16_t scales[8]; // f16 per 32; mxfp4: the exponent byte
  std::uint16_t mins[8];   // f16 per 32
  std::uint8_t subs[16];   // integer scales per 32 or 16; the signed ones in
                           // two's complement
  std::uint8_t sub_mins[16];
};

/// Takes group `g` of a row apart.
/// @param type  a quantised type.
/// @param row   row_bytes(type, columns) bytes, any alignment.
/// @param g     0 <= g < ceil(columns / 256).
/// @source the GGUF specification; ggml's block structures.
void read_group(dtype type, const std::byte* row, std::int64_t columns,
                std::int64_t g, row_group& to);

} // namespace sluice

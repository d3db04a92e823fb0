// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::bench {

/// The sizes of one transformer layer.
struct model_shape {
  std::string_view name;
  std::int64_t hidden;
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
  std::int64_t ffn;
};

// As `sluice synth` has them: TinyLlama 1.1B and Llama-3.1-8B; and
// Llama-3.1-70B, whose kv heads serve 8 query heads of 128 elements each.
inline constexpr model_shape model_shapes[] = {
    {"llama-1b", 2'048, 32, 4, 64, 5'632},
    {"llama-8b", 4'096, 32, 8, 128, 14'336},
    {"llama-70b", 8'192, 64, 8, 128, 28'672},
};

} // namespace sluice::bench

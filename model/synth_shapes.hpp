// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

/// A model's sizes, as published.
struct synth_shape {
  std::string_view name;
  std::uint32_t hidden, layers, heads, kv_heads, ffn, context;
  std::uint32_t vocabulary; ///< files have synth_vocabulary_size instead
  float norm_epsilon, rope_theta;
  std::uint32_t experts = 0;      ///< 0: a dense feed-forward layer
  std::uint32_t experts_used = 0; ///< per token

  std::uint32_t head_dim() const { return hidden / heads; }
};

/// Pieces of the vocabulary in invented files: that of Llama 2.
inline constexpr std::uint32_t synth_vocabulary_size = 32'000;

/// @throws model_error: unsupported, with the names of all shapes.
const synth_shape& find_synth_shape(const std::string& name);

} // namespace sluice

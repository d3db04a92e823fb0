// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/checkpoint.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

/// The name of every weight's role in one file convention. In the names of a
/// layer's weights '#' stands for the layer's number.
struct weight_names {
  std::string_view embed;
  std::string_view final_norm;
  std::string_view lm_head;
  std::string_view rope_divisors; ///< optional tensor; "" if never present
  std::string_view attn_norm;
  std::string_view q, k, v, o;
  std::string_view q_bias, k_bias, v_bias;
  std::string_view ffn_norm;
  std::string_view gate, up, down;
};

/// Hugging Face llama, mistral and qwen2 share one convention; so do theirs in
/// GGUF.
const weight_names& names_for(checkpoint_format format);

/// The GGUF name of a weight that a file of `format` names so.
/// @param name  of a role in `names_for(format)`, with its layer's number.
std::string gguf_name(std::string_view name, checkpoint_format format);

/// The tensor with one scale a row that an I8 or F8_E4M3 weight needs beside
/// it: "X.weight" -> "X.weight_scale".
/// @source the int-quantized and float-quantized forms of compressed-tensors.
std::string scale_name(std::string_view weight);

/// @return `pattern` with its '#' replaced by `layer`.
std::string layer_weight(std::string_view pattern, std::uint32_t layer);

} // namespace sluice

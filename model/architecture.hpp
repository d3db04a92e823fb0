// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "model/checkpoint/checkpoint.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

enum class rope_scaling : std::uint8_t { none, linear, llama3 };

/// Rotary position embedding.
struct rope_description {
  double theta = 10'000;
  std::uint32_t rotary_dim = 0; ///< even, at most head_dim
  rope_layout layout = rope_layout::half_split;
  rope_scaling scaling = rope_scaling::none;
  double factor = 1; ///< linear and llama3: how far the context is stretched
  double low_frequency_factor = 1;       ///< llama3
  double high_frequency_factor = 4;      ///< llama3
  std::uint32_t original_context = 8192; ///< llama3, in tokens
};

enum class activation : std::uint8_t { silu };

/// A decoder-only transformer as data. The forward pass reads this and nothing
/// else about the family; a new family is a new description.
struct architecture {
  std::string family; ///< "llama", "mistral", "qwen2"
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0; ///< divides heads
  std::uint32_t head_dim = 0; ///< even
  std::uint32_t ffn = 0;      ///< width of the feed-forward layer
  std::uint32_t vocab = 0;
  std::uint32_t context = 0; ///< longest sequence in tokens
  float norm_epsilon = 0;
  rope_description rope;
  std::uint32_t sliding_window = 0; ///< tokens a position sees; 0 = all
  bool attention_bias = false;      ///< q, k and v have biases
  bool tied_embeddings = false;     ///< the output matrix is the embedding
  activation act = activation::silu;
  std::optional<std::uint32_t> bos;
  std::vector<std::uint32_t> eos; ///< any of these ends a sequence

  /// Bytes of K and V that one token needs over all layers.
  /// @param element_bytes  of the cache's type: 2 for f16 and bf16.
  std::uint64_t kv_bytes_per_token(std::uint32_t element_bytes) const {
    return std::uint64_t{2} * layers * kv_heads * head_dim * element_bytes;
  }
};

/// Describes an opened model from its config.json or its GGUF keys.
/// @throws model_error: unsupported for another family or an option that no op
///         implements (the text lists the families that load); missing,
///         wrong_type, limit for bad values.
architecture describe_architecture(const checkpoint& model);

/// The same from a parsed config.json (and generation_config.json or null).
architecture architecture_from_config(const nlohmann::json& config,
                                      const nlohmann::json& generation,
                                      std::string_view file);

/// The same from GGUF keys. Whether the output matrix is tied to the embedding
/// is not a key: the caller looks for the tensor "output.weight".
architecture architecture_from_gguf(const gguf_metadata& metadata,
                                    std::string_view file);

/// @throws model_error (limit or malformed) if sizes are zero, beyond what the
///         kernels address, or do not divide each other.
void check_architecture(const architecture& arch, std::string_view file);

/// Frequencies of the rotary embedding, scaling applied.
/// @param divisors  [rotary_dim / 2] from the tensor "rope_freqs.weight", by
///                  which some GGUF files express the llama3 scaling; or empty.
/// @return [rotary_dim / 2] radians per position.
/// @throws contract_violation if `divisors` has another length.
/// @source Su et al. 2021, section 3.2; the llama3 rule as published in
///         Hugging Face transformers, modeling_rope_utils.py.
std::vector<float> rope_frequencies(const rope_description& rope,
                                    std::span<const float> divisors);

} // namespace sluice

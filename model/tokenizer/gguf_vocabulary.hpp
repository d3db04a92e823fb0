// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/vocabulary.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

class tokenizer;

/// The tokenizer.ggml.* keys of a GGUF file, as read: untrusted.
struct gguf_vocabulary {
  std::string model;               // tokenizer.ggml.model: "llama", "gpt2"
  std::string pre;                 // tokenizer.ggml.pre: "llama-bpe", "qwen2"
  std::vector<std::string> tokens; // [vocab]
  std::vector<float> scores;       // [vocab] or empty; required for "llama"
  std::vector<std::int32_t> types; // [vocab] or empty: ggml token types 1..6
  std::vector<std::string> merges; // "left right", best first, for "gpt2"
  std::optional<std::uint32_t> bos;
  std::optional<std::uint32_t> eos;
  std::optional<std::uint32_t> eot; // end of a turn, counted as an EOS
  std::optional<std::uint32_t> unk;
  std::optional<bool> add_bos;          // absent: what the scheme does
  std::optional<bool> add_eos;          // absent: false
  std::optional<bool> add_space_prefix; // absent: true for "llama"
};

/// The number that tokenizer.ggml.token_type has for a kind.
std::int32_t ggml_token_type(token_kind kind);

/// A tokenizer from the vocabulary of a GGUF file.
/// @throws model_error for an unknown model or pre type (by name, with the
///         known ones), arrays of unequal length, merges of missing tokens.
std::unique_ptr<tokenizer> load_tokenizer_gguf(const gguf_vocabulary& source);

} // namespace sluice

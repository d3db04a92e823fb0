// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/gguf_vocabulary.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

class checkpoint;

/// A tokenizer in the keys of a GGUF file.
struct exported_vocabulary {
  gguf_vocabulary words;
  std::string chat_template;      ///< "" if the model has none
  std::vector<std::string> notes; ///< what the keys cannot say, one line each
};

/// Writes the tokenizer of a Hugging Face directory in GGUF's keys: byte-level
/// BPE as "gpt2" with its pre type, SentencePiece BPE as "llama". Both are then
/// asked to encode every token and a list of texts, and must give the same ids;
/// the name of the unknown token, read as a special token, is not compared.
/// @return nothing if the directory has no tokenizer.
/// @throws model_error (unsupported) if the keys cannot express it.
std::optional<exported_vocabulary> export_vocabulary(const checkpoint& model);

/// The keys of a byte-level BPE tokenizer.json, not compared yet.
/// @param config  text of tokenizer_config.json, or "".
/// @throws model_error as load_tokenizer_json(), and unsupported for what the
///         keys cannot express.
exported_vocabulary vocabulary_of_json(std::string_view json,
                                       std::string_view config);

/// The keys of a SentencePiece tokenizer.model.
gguf_vocabulary vocabulary_of_sentencepiece(std::string_view model_bytes);

} // namespace sluice

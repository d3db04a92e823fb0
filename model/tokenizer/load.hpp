// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/gguf_vocabulary.hpp"
#include "model/tokenizer/tokenizer.hpp"

#include <filesystem>
#include <memory>
#include <string_view>

namespace sluice {

class checkpoint;
class gguf_metadata;

/// A tokenizer from the text of a Hugging Face tokenizer.json.
/// @param json    at most 256 MiB, nesting at most 64 deep.
/// @param config  text of tokenizer_config.json, which names BOS and EOS; may
///                be empty, then BOS is what the template puts first.
/// @throws model_error that names the component or rule; a component type
///         that is not known is refused, never guessed.
std::unique_ptr<tokenizer> load_tokenizer_json(std::string_view json,
                                               std::string_view config = {});

/// A tokenizer from the bytes of a SentencePiece tokenizer.model.
/// @param add_bos  puts BOS first, as the Llama family was trained.
/// @throws model_error if the library refuses the model.
std::unique_ptr<tokenizer> load_sentencepiece(std::string_view model_bytes,
                                              bool add_bos = true);

/// The tokenizer that belongs to an opened model: of a folder tokenizer.json
/// (preferred) or tokenizer.model, of a GGUF file its own vocabulary.
/// @throws model_error if there is none or it is refused.
std::unique_ptr<tokenizer> load_tokenizer(const checkpoint& source);

/// The same for the path of a model.
std::unique_ptr<tokenizer> load_tokenizer(const std::filesystem::path& model);

/// The tokenizer.ggml.* keys of a GGUF file.
/// @throws model_error for a missing key or a wrong type.
gguf_vocabulary read_gguf_vocabulary(const gguf_metadata& keys);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/load.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::test {

/// A file below tests/golden/tokenizer.
std::filesystem::path golden_file(std::string_view name);

/// The bytes of a file; fails the test if it cannot be read.
std::string file_text(const std::filesystem::path& path);

/// What to keep of a golden tokenizer.json.
struct json_edit {
  bool normalizer = true;
  bool flags = true; // lstrip, rstrip, single_word of added tokens
};
std::unique_ptr<tokenizer> golden_json(std::string_view name,
                                       json_edit keep = {});

/// tests/golden/tokenizer/pieces.model as a GGUF file would hold it.
gguf_vocabulary pieces_as_gguf();

/// A byte-level tokenizer.json that a GGUF file would hold as "gpt2".
gguf_vocabulary json_as_gguf(std::string_view name, std::string_view pre);

/// A tokenizer with the 256 bytes as tokens and a few more.
/// Ids: bytes 0 to 255, then 256 "<|bos|>", 257 "<|eos|>", then `merged`.
std::unique_ptr<tokenizer>
byte_tokenizer(const std::vector<std::string>& merged = {});

} // namespace sluice::test

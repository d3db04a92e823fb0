// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/load.hpp"

#include "model/checkpoint/checkpoint.hpp"

#include <cstdint>
#include <string>

namespace sluice {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t max_file_bytes = 256u << 20;

std::string read_text(const fs::path& path) {
  const model_file file(path);
  if (file.size_bytes() > max_file_bytes)
    throw model_error(model_fault::limit, {file.name(), ""},
                      "larger than 256 MiB", download_again);
  std::string text(file.size_bytes(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

std::string read_if_present(const fs::path& path) {
  return fs::exists(path) ? read_text(path) : std::string();
}

std::optional<std::uint32_t> optional_id(const gguf_metadata& keys,
                                         std::string_view key) {
  return keys.has(key) ? std::optional(keys.u32(key)) : std::nullopt;
}

std::optional<bool> optional_flag(const gguf_metadata& keys,
                                  std::string_view key) {
  return keys.has(key) ? std::optional(keys.flag(key, false)) : std::nullopt;
}

[[noreturn]] void no_tokenizer(const fs::path& model) {
  throw model_error(model_fault::missing, {model.filename().string(), ""},
                    "it has no tokenizer",
                    "put the tokenizer.json of the model beside its weights");
}

} // namespace

gguf_vocabulary read_gguf_vocabulary(const gguf_metadata& keys) {
  gguf_vocabulary source;
  source.model = keys.text("tokenizer.ggml.model");
  source.pre = keys.text("tokenizer.ggml.pre", "");
  source.tokens = keys.strings("tokenizer.ggml.tokens");
  if (keys.has("tokenizer.ggml.scores"))
    source.scores = keys.f32_array("tokenizer.ggml.scores");
  if (keys.has("tokenizer.ggml.token_type"))
    source.types = keys.i32_array("tokenizer.ggml.token_type");
  if (keys.has("tokenizer.ggml.merges"))
    source.merges = keys.strings("tokenizer.ggml.merges");
  source.bos = optional_id(keys, "tokenizer.ggml.bos_token_id");
  source.eos = optional_id(keys, "tokenizer.ggml.eos_token_id");
  source.eot = optional_id(keys, "tokenizer.ggml.eot_token_id");
  source.unk = optional_id(keys, "tokenizer.ggml.unknown_token_id");
  source.add_bos = optional_flag(keys, "tokenizer.ggml.add_bos_token");
  source.add_eos = optional_flag(keys, "tokenizer.ggml.add_eos_token");
  source.add_space_prefix =
      optional_flag(keys, "tokenizer.ggml.add_space_prefix");
  return source;
}

std::unique_ptr<tokenizer> load_tokenizer(const checkpoint& source) {
  using kind = tokenizer_source::kind;
  const auto described = source.tokenizer();
  switch (described.from) {
  case kind::gguf:
    return load_tokenizer_gguf(read_gguf_vocabulary(source.metadata()));
  case kind::tokenizer_json:
    return load_tokenizer_json(read_text(described.path),
                               read_if_present(described.path.parent_path() /
                                               "tokenizer_config.json"));
  case kind::sentencepiece:
    return load_sentencepiece(read_text(described.path));
  case kind::none:
    break;
  }
  no_tokenizer(source.path());
}

std::unique_ptr<tokenizer> load_tokenizer(const fs::path& model) {
  return load_tokenizer(checkpoint::open(model));
}

} // namespace sluice

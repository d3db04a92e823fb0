// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/json.hpp"
#include "model/tokenizer/bpe_encoder.hpp"
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/json_vocabulary.hpp"
#include "model/tokenizer/load.hpp"
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/tokenizer_parts.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace sluice {

namespace {

using nlohmann::json;

constexpr std::uint64_t max_file_bytes = 256u << 20;
constexpr std::ptrdiff_t max_values = 16
                                      << 20; // a parsed value takes ~40 bytes

json parse(std::string_view text, std::string_view label) {
  if (std::count(text.begin(), text.end(), ',') > max_values)
    refuse_tokenizer(model_fault::limit, std::string(label),
                     "more than 16 Mi JSON values");
  return parse_json(std::as_bytes(std::span(text)), label,
                    {max_file_bytes, 64});
}

const json& part(const json& file, const char* key) {
  static const json absent;
  const auto found = file.find(key);
  return found == file.end() ? absent : *found;
}

/// The name in "bos_token", which is a string or an object with "content".
std::optional<std::uint32_t> named_token(const json& config, const char* key,
                                         const vocabulary& words) {
  const auto& value = part(config, key);
  const auto name = value.is_object() ? text_member(value, "content", "")
                                      : text_member(config, key, "");
  return name.empty() ? std::nullopt : words.find(name);
}

void add_matchers(const std::vector<added_token>& added,
                  tokenizer_parts& parts) {
  for (auto token : added) {
    if (token.normalized)
      token.content = parts.normalize.apply(token.content);
    auto& matcher =
        token.normalized ? parts.normalized_tokens : parts.raw_tokens;
    matcher.add(std::move(token));
  }
}

void name_ends(std::string_view config_text, tokenizer_parts& parts) {
  if (!config_text.empty()) {
    const auto config = parse(config_text, "tokenizer_config.json");
    parts.bos = named_token(config, "bos_token", parts.words);
    if (const auto eos = named_token(config, "eos_token", parts.words))
      parts.eos = {*eos};
  }
  if (!parts.bos && !parts.prefix.empty() &&
      parts.words[parts.prefix.front()].kind == token_kind::control)
    parts.bos = parts.prefix.front();
}

void check_decoder(const json& component, const decoder_rules& decoder,
                   bool byte_level) {
  const bool agree =
      component.is_null() ? byte_level : decoder.byte_level == byte_level;
  if (!agree)
    refuse_tokenizer(model_fault::unsupported, "decoder",
                     "it does not undo what the pre_tokenizer does",
                     convert_tokenizer);
}

} // namespace

std::unique_ptr<tokenizer> load_tokenizer_json(std::string_view text,
                                               std::string_view config) {
  const auto file = parse(text, "tokenizer.json");
  auto pieces = read_pre_tokenizer(part(file, "pre_tokenizer"));
  auto decoder = read_decoder(part(file, "decoder"));
  check_decoder(part(file, "decoder"), decoder, pieces.byte_level);
  decoder.byte_level = pieces.byte_level;

  tokenizer_parts parts;
  const auto added = read_added_tokens(part(file, "added_tokens"));
  parts.words = read_vocabulary(part(file, "model"), added, decoder);
  read_normalizer(part(file, "normalizer"), parts.normalize);
  add_matchers(added, parts);
  auto model =
      read_bpe_model(part(file, "model"), parts.words, pieces.byte_level);
  parts.encoder =
      std::make_unique<bpe_encoder>(std::move(model), std::move(pieces.pieces));
  auto around = read_post_processor(part(file, "post_processor"), parts.words);
  parts.prefix = std::move(around.prefix);
  parts.suffix = std::move(around.suffix);
  parts.strip_leading_space = decoder.strip_leading_space;
  parts.description = pieces.byte_level
                          ? "byte-level BPE, pre-tokenizer " + pieces.scheme
                          : "character BPE";
  name_ends(config, parts);
  return std::make_unique<tokenizer>(std::move(parts));
}

} // namespace sluice

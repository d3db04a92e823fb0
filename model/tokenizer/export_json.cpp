// SPDX-License-Identifier: Apache-2.0
// A byte-level BPE tokenizer.json in GGUF's keys.
#include "model/checkpoint/json.hpp"
#include "model/tokenizer/export_vocabulary.hpp"
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/json_vocabulary.hpp"
#include "model/tokenizer/refuse.hpp"

namespace sluice {

namespace {

using nlohmann::json;

constexpr json_limits limits{256u << 20, 64};

[[noreturn]] void not_expressible(const std::string& what) {
  refuse_tokenizer(model_fault::unsupported, "tokenizer.json",
                   what + " cannot be expressed in a GGUF file",
                   "put the model's tokenizer.model into the folder, or use "
                   "the folder as it is with model.weight_type");
}

json parse(std::string_view text, std::string_view label) {
  return parse_json(std::as_bytes(std::span(text)), label, limits);
}

const json& part(const json& file, const char* key) {
  static const json absent;
  const auto found = file.find(key);
  return found == file.end() ? absent : *found;
}

std::string pre_type(const json& file) {
  const auto rules = read_pre_tokenizer(part(file, "pre_tokenizer"));
  if (!rules.byte_level)
    not_expressible("a vocabulary that is not byte-level");
  if (rules.scheme == "none")
    not_expressible("a pre-tokenizer without a known pattern");
  return rules.scheme == "gpt2" ? "gpt-2" : rules.scheme;
}

// GGUF files of the Qwen family leave its normal form NFC out, by convention.
void check_normalizer(const json& component, std::vector<std::string>& notes) {
  if (component.is_null())
    return;
  if (component_type(component, "normalizer") != "NFC")
    not_expressible("its normalizer");
  notes.push_back("the tokenizer's normal form NFC has no key: text that is "
                  "not in that form gets other ids than from tokenizer.json");
}

std::string merge_text(const json& item) {
  if (item.is_string())
    return item.get<std::string>();
  return item[0].get<std::string>() + " " + item[1].get<std::string>();
}

std::optional<std::uint32_t> named_id(const json& config, const char* key,
                                      const vocabulary& words) {
  const auto& value = part(config, key);
  const auto name = value.is_object() ? text_member(value, "content", "")
                                      : text_member(config, key, "");
  return name.empty() ? std::nullopt : words.find(name);
}

void frame(const json& file, const vocabulary& words, gguf_vocabulary& out) {
  const auto around = read_post_processor(part(file, "post_processor"), words);
  const auto is_only = [](const std::vector<std::uint32_t>& ids,
                          std::optional<std::uint32_t> token) {
    return ids.empty() || (ids.size() == 1 && token == ids.front());
  };
  if (!out.bos && around.prefix.size() == 1)
    out.bos = around.prefix.front();
  if (!is_only(around.prefix, out.bos) || !is_only(around.suffix, out.eos))
    not_expressible("a template of other tokens than BOS and EOS");
  out.add_bos = !around.prefix.empty();
  out.add_eos = !around.suffix.empty();
}

} // namespace

exported_vocabulary vocabulary_of_json(std::string_view text,
                                       std::string_view config_text) {
  const auto file = parse(text, "tokenizer.json");
  const auto config = config_text.empty()
                          ? json::object()
                          : parse(config_text, "tokenizer_config.json");
  exported_vocabulary result;
  auto& out = result.words;
  out.model = "gpt2";
  out.pre = pre_type(file);
  check_normalizer(part(file, "normalizer"), result.notes);
  const auto& model = part(file, "model");
  const auto words =
      read_vocabulary(model, read_added_tokens(part(file, "added_tokens")),
                      {.byte_level = true});
  read_bpe_model(model, words, true); // checks the merges
  for (std::uint32_t id = 0; id < words.size(); ++id) {
    out.tokens.emplace_back(words.name(id));
    out.types.push_back(ggml_token_type(words[id].kind));
  }
  for (const auto& item : list_member(model, "merges"))
    out.merges.push_back(merge_text(item));
  out.bos = named_id(config, "bos_token", words);
  out.eos = named_id(config, "eos_token", words);
  if (const auto unk = text_member(model, "unk_token", ""); !unk.empty())
    out.unk = words.find(unk);
  frame(file, words, out);
  if (const auto& chat = part(config, "chat_template"); chat.is_string())
    result.chat_template = chat.get<std::string>();
  return result;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/refuse.hpp"

namespace sluice {

namespace {

using nlohmann::json;

constexpr const char* slot = "post_processor";

[[noreturn]] void bad_template(const std::string& rule) {
  refuse_tokenizer(model_fault::malformed, slot, rule);
}

std::uint32_t token_id(const json& value, const vocabulary& words) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() >= words.size())
    bad_template("it names a token that is not in the vocabulary");
  return value.get<std::uint32_t>();
}

/// Reads the template of a single text.
class template_reader {
public:
  template_reader(const json& component, const vocabulary& words)
      : tokens_(object_member(component, "special_tokens")), words_(words) {}

  text_template read(const json& items) {
    for (const auto& item : items)
      add(item);
    if (!seen_text_)
      bad_template("the template of a single text has no place for it");
    return result_;
  }

private:
  void add(const json& item) {
    if (item.is_object() && item.contains("Sequence"))
      return add_text();
    const auto name =
        text_member(object_member(item, "SpecialToken"), "id", "");
    auto& side = seen_text_ ? result_.suffix : result_.prefix;
    const auto& token = object_member(tokens_, name.c_str());
    for (const auto& id : list_member(token, "ids"))
      side.push_back(token_id(id, words_));
  }

  void add_text() {
    if (seen_text_)
      bad_template("the template of a single text uses the text twice");
    seen_text_ = true;
  }

  const json& tokens_;
  const vocabulary& words_;
  text_template result_;
  bool seen_text_ = false;
};

/// BertProcessing and RobertaProcessing: one token at each end.
text_template read_pair_of_ends(const json& component,
                                const vocabulary& words) {
  const auto end = [&](const char* key) {
    const auto& pair = list_member(component, key);
    if (pair.size() != 2)
      bad_template(std::string("'") + key + "' is not a name and an id");
    return token_id(pair[1], words);
  };
  return {{end("cls")}, {end("sep")}};
}

void append_template(const json& component, const vocabulary& words,
                     text_template& out) {
  const auto type = component_type(component, slot);
  text_template read;
  if (type == "TemplateProcessing")
    read = template_reader(component, words)
               .read(list_member(component, "single"));
  else if (type == "BertProcessing" || type == "RobertaProcessing")
    read = read_pair_of_ends(component, words);
  else if (type != "ByteLevel") // which only moves offsets
    refuse_component(slot, type,
                     "TemplateProcessing, BertProcessing, RobertaProcessing, "
                     "ByteLevel, Sequence");
  out.prefix.insert(out.prefix.begin(), read.prefix.begin(), read.prefix.end());
  out.suffix.insert(out.suffix.end(), read.suffix.begin(), read.suffix.end());
}

} // namespace

text_template read_post_processor(const json& component,
                                  const vocabulary& words) {
  text_template result;
  if (component.is_null())
    return result;
  if (component_type(component, slot) != "Sequence") {
    append_template(component, words, result);
    return result;
  }
  for (const auto& part : list_member(component, "processors"))
    append_template(part, words, result);
  return result;
}

} // namespace sluice

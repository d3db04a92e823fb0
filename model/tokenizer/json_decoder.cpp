// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/refuse.hpp"

namespace sluice {

namespace {

using nlohmann::json;

/// Strip in its one use: the space that SentencePiece puts in front.
void read_strip(const json& component, decoder_rules& rules) {
  const auto count = [&](const char* key) {
    const auto found = component.find(key);
    return found != component.end() && found->is_number_unsigned()
               ? found->get<std::uint64_t>()
               : 0;
  };
  const bool space = text_member(component, "content", "") == " ";
  if (!space || count("stop") != 0 || count("start") > 1)
    refuse_tokenizer(model_fault::unsupported, "decoder.Strip",
                     "only one leading space can be stripped",
                     convert_tokenizer);
  rules.strip_leading_space = count("start") == 1;
}

void read_metaspace(const json& component, decoder_rules& rules) {
  const bool adds = flag_member(component, "add_prefix_space", true);
  const auto scheme =
      text_member(component, "prepend_scheme", adds ? "always" : "never");
  rules.replacements.emplace_back(
      text_member(component, "replacement", "\u2581"), " ");
  rules.strip_leading_space = scheme != "never";
}

void read_replace(const json& component, decoder_rules& rules) {
  rules.replacements.emplace_back(
      text_member(object_member(component, "pattern"), "String", ""),
      text_member(component, "content", ""));
  if (rules.replacements.back().first.empty())
    refuse_tokenizer(model_fault::unsupported, "decoder.Replace",
                     "only a 'String' pattern that is not empty is supported",
                     convert_tokenizer);
}

void read_part(const json& component, decoder_rules& rules) {
  const auto type = component_type(component, "decoder");
  if (type == "ByteLevel")
    rules.byte_level = true;
  else if (type == "ByteFallback")
    rules.byte_tokens = true;
  else if (type == "Metaspace")
    read_metaspace(component, rules);
  else if (type == "Replace")
    read_replace(component, rules);
  else if (type == "Strip")
    read_strip(component, rules);
  else if (type != "Fuse")
    refuse_component("decoder", type,
                     "ByteLevel, ByteFallback, Fuse, Metaspace, Replace, "
                     "Strip, Sequence");
}

} // namespace

decoder_rules read_decoder(const json& component) {
  decoder_rules rules;
  if (component.is_null())
    return rules;
  if (component_type(component, "decoder") != "Sequence") {
    read_part(component, rules);
    return rules;
  }
  for (const auto& part : list_member(component, "decoders"))
    read_part(part, rules);
  return rules;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/refuse.hpp"

namespace sluice {

namespace {

using nlohmann::json;

normalizer_step read_replace(const json& component) {
  const auto pattern =
      text_member(object_member(component, "pattern"), "String", "");
  if (pattern.empty())
    refuse_tokenizer(model_fault::unsupported, "normalizer.Replace",
                     "only a 'String' pattern that is not empty is supported",
                     convert_tokenizer);
  return replace_text{pattern, text_member(component, "content", "")};
}

normalizer_step read_step(const json& component) {
  const auto type = component_type(component, "normalizer");
  if (type == "NFC")
    return unicode_form{true, false};
  if (type == "NFKC")
    return unicode_form{true, true};
  if (type == "NFD")
    return unicode_form{false, false};
  if (type == "NFKD")
    return unicode_form{false, true};
  if (type == "Prepend")
    return prepend_text{text_member(component, "prepend", "")};
  if (type == "Replace")
    return read_replace(component);
  if (type == "Lowercase")
    return lower_case{};
  if (type == "Strip")
    return strip_space{flag_member(component, "strip_left", true),
                       flag_member(component, "strip_right", true)};
  refuse_component("normalizer", type,
                   "NFC, NFD, NFKC, NFKD, Prepend, Replace, Lowercase, Strip, "
                   "Sequence");
}

} // namespace

void read_normalizer(const json& component, normalizer& steps) {
  if (component.is_null())
    return;
  if (component_type(component, "normalizer") != "Sequence")
    return steps.add(read_step(component));
  for (const auto& part : list_member(component, "normalizers"))
    steps.add(read_step(part));
}

} // namespace sluice

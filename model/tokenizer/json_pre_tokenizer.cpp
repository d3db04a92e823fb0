// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/regex.hpp"
#include "model/tokenizer/unicode.hpp"

namespace sluice {

namespace {

using nlohmann::json;

constexpr const char* slot = "pre_tokenizer";
constexpr const char* known =
    "ByteLevel, Digits, Metaspace, Punctuation, Sequence, Split, Whitespace, "
    "WhitespaceSplit";

split_behavior read_behavior(const json& component, const char* fallback) {
  const auto name = text_member(component, "behavior", fallback);
  if (name == "Removed")
    return split_behavior::removed;
  if (name == "Isolated")
    return split_behavior::isolated;
  if (name == "MergedWithPrevious")
    return split_behavior::merged_with_previous;
  if (name == "MergedWithNext")
    return split_behavior::merged_with_next;
  if (name == "Contiguous")
    return split_behavior::contiguous;
  refuse_component("pre_tokenizer.behavior", name,
                   "Removed, Isolated, MergedWithPrevious, MergedWithNext, "
                   "Contiguous");
}

/// Collects the rules of a component and of those nested in it.
class rule_reader {
public:
  void read(const json& component, int depth) {
    const auto type = component_type(component, slot);
    if (type == "Sequence")
      return read_sequence(component, depth);
    if (result_.byte_level)
      refuse_tokenizer(model_fault::unsupported, "pre_tokenizer",
                       "'" + printable(type) +
                           "' after ByteLevel is not supported",
                       convert_tokenizer);
    if (type == "ByteLevel")
      read_byte_level(component);
    else if (type == "Split")
      read_split(component);
    else if (type == "Metaspace")
      rules_.push_back(make_metaspace(read_metaspace(component)));
    else
      rules_.push_back(read_simple(component, type));
  }

  pre_tokenizer_rules take() {
    if (rules_.size() == 1)
      result_.pieces = std::move(rules_.front());
    else if (!rules_.empty())
      result_.pieces = make_sequence(std::move(rules_));
    return std::move(result_);
  }

private:
  void read_sequence(const json& component, int depth) {
    if (depth > 0)
      refuse_tokenizer(model_fault::unsupported, "pre_tokenizer",
                       "a Sequence within a Sequence is not supported",
                       convert_tokenizer);
    for (const auto& part : list_member(component, "pretokenizers"))
      read(part, depth + 1);
  }

  void read_byte_level(const json& component) {
    result_.byte_level = true;
    if (flag_member(component, "add_prefix_space", true))
      rules_.push_back(make_space_prefix());
    if (flag_member(component, "use_regex", true))
      add_scanner(gpt2_pattern, scan_gpt2);
  }

  void read_split(const json& component) {
    const auto behavior = read_behavior(component, "");
    const bool invert = flag_member(component, "invert", false);
    const auto& pattern = object_member(component, "pattern");
    const auto literal = text_member(pattern, "String", "");
    const auto regex = text_member(pattern, "Regex", "");
    if (literal.empty() == regex.empty())
      refuse_tokenizer(model_fault::malformed, "pre_tokenizer.pattern",
                       "expected either 'String' or 'Regex', not empty");
    // These patterns match everywhere, so removing what they do not match
    // leaves the same pieces as isolating what they do.
    const bool every_match =
        (behavior == split_behavior::isolated && !invert) ||
        (behavior == split_behavior::removed && invert);
    const auto scanner = every_match ? find_scanner(regex) : nullptr;
    if (scanner)
      return add_scanner(regex, scanner);
    rules_.push_back(make_match_split(regex.empty() ? find_literal(literal)
                                                    : find_regex(regex),
                                      behavior, invert));
  }

  void add_scanner(std::string_view pattern, pattern_scanner scanner) {
    rules_.push_back(make_scanner_split(scanner));
    result_.scheme = pattern == gpt2_pattern     ? "gpt2"
                     : pattern == llama3_pattern ? "llama-bpe"
                                                 : "qwen2";
  }

  static metaspace_rule read_metaspace(const json& component) {
    using prefix = metaspace_rule::prefix;
    metaspace_rule rule;
    rule.replacement = text_member(component, "replacement", rule.replacement);
    rule.split = flag_member(component, "split", true);
    const bool adds = flag_member(component, "add_prefix_space", true);
    const auto scheme =
        text_member(component, "prepend_scheme", adds ? "always" : "never");
    if (rule.replacement.empty())
      refuse_tokenizer(model_fault::malformed, "pre_tokenizer.Metaspace",
                       "the replacement is empty");
    if (scheme == "first")
      rule.prepend = prefix::first;
    else if (scheme == "never")
      rule.prepend = prefix::never;
    else if (scheme != "always")
      refuse_component("pre_tokenizer.prepend_scheme", scheme,
                       "first, never, always");
    return rule;
  }

  static pre_tokenizer_ptr read_simple(const json& component,
                                       const std::string& type) {
    constexpr auto number = [](char32_t value) {
      return classify(value) == char_class::number;
    };
    if (type == "Digits") {
      const bool single = flag_member(component, "individual_digits", false);
      return make_match_split(find_characters(number, single),
                              split_behavior::isolated, false);
    }
    if (type == "Punctuation")
      return make_match_split(find_characters(is_punctuation, true),
                              read_behavior(component, "Isolated"), false);
    if (type == "WhitespaceSplit")
      return make_match_split(find_characters(is_space, false),
                              split_behavior::removed, false);
    if (type == "Whitespace")
      return make_match_split(find_words(), split_behavior::removed, true);
    refuse_component(slot, type, known);
  }

  std::vector<pre_tokenizer_ptr> rules_;
  pre_tokenizer_rules result_;
};

} // namespace

pre_tokenizer_rules read_pre_tokenizer(const json& component) {
  rule_reader reader;
  if (!component.is_null())
    reader.read(component, 0);
  return reader.take();
}

} // namespace sluice

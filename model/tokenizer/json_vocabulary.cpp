// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/json_vocabulary.hpp"

#include "model/tokenizer/byte_level.hpp"
#include "model/tokenizer/refuse.hpp"

#include <optional>
#include <string>

namespace sluice {

namespace {

using nlohmann::json;

std::uint32_t read_id(const json& value, const std::string& subject) {
  if (!value.is_number_unsigned())
    refuse_tokenizer(model_fault::wrong_type, subject,
                     "its id is not an integer that is not negative");
  const auto id = value.get<std::uint64_t>();
  if (id >= vocabulary::max_tokens)
    refuse_tokenizer(model_fault::limit, subject, "its id is 2^24 or more");
  return static_cast<std::uint32_t>(id);
}

std::string named(const std::string& name) {
  return "token '" + printable(name) + "'";
}

/// Names by id, while they are collected.
class name_list {
public:
  /// More holes than this cannot be filled by what is yet to come.
  explicit name_list(std::size_t expected) : names_(expected) {}

  void set(std::uint32_t id, const std::string& name) {
    if (id >= names_.size())
      refuse_tokenizer(model_fault::malformed, named(name),
                       "the ids are not dense: " + std::to_string(id) + " of " +
                           std::to_string(names_.size()));
    if (names_[id])
      refuse_tokenizer(model_fault::duplicate, named(name),
                       "id " + std::to_string(id) + " is taken by '" +
                           printable(*names_[id]) + "'");
    names_[id] = name;
  }

  // As many names as there are ids, none twice: every id has one.
  std::vector<std::optional<std::string>>& names() { return names_; }

private:
  std::vector<std::optional<std::string>> names_;
};

std::string decoded_name(const std::string& name, const decoder_rules& rules) {
  if (rules.byte_level)
    return byte_level_bytes(name).value_or(name);
  if (rules.byte_tokens)
    if (const auto byte = parse_byte_token(name))
      return std::string(1, static_cast<char>(*byte));
  normalizer replace;
  for (const auto& [pattern, content] : rules.replacements)
    replace.add(replace_text{pattern, content});
  return replace.apply(name);
}

token_kind plain_kind(const std::string& name, const decoder_rules& rules) {
  return rules.byte_tokens && parse_byte_token(name) ? token_kind::byte
                                                     : token_kind::normal;
}

/// Added tokens that the model's own vocabulary has under another id, or under
/// the same: only the rest needs new ids.
std::vector<const added_token*>
beyond_vocabulary(const json& vocab, const std::vector<added_token>& added) {
  std::vector<const added_token*> fresh;
  for (const auto& token : added) {
    const auto known = vocab.find(token.content);
    if (known == vocab.end())
      fresh.push_back(&token);
    else if (read_id(*known, named(token.content)) != token.id)
      refuse_tokenizer(model_fault::malformed, named(token.content),
                       "added_tokens and model.vocab disagree about its id");
  }
  return fresh;
}

} // namespace

std::vector<added_token> read_added_tokens(const json& list) {
  std::vector<added_token> tokens;
  if (list.is_null())
    return tokens;
  if (!list.is_array())
    refuse_tokenizer(model_fault::wrong_type, "added_tokens",
                     "expected a list");
  for (const auto& item : list) {
    added_token token;
    token.content = text_member(item, "content", "");
    if (token.content.empty())
      refuse_tokenizer(model_fault::malformed, "added_tokens",
                       "a token has no content");
    token.id = read_id(item.contains("id") ? item["id"] : json(),
                       named(token.content));
    token.special = flag_member(item, "special", false);
    token.single_word = flag_member(item, "single_word", false);
    token.lstrip = flag_member(item, "lstrip", false);
    token.rstrip = flag_member(item, "rstrip", false);
    token.normalized = flag_member(item, "normalized", !token.special);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

vocabulary read_vocabulary(const json& model,
                           const std::vector<added_token>& added,
                           const decoder_rules& decoder) {
  const auto& vocab = object_member(model, "vocab");
  const auto fresh = beyond_vocabulary(vocab, added);
  name_list list(vocab.size() + fresh.size());
  for (const auto& [name, id] : vocab.items())
    list.set(read_id(id, named(name)), name);
  for (const auto* token : fresh)
    list.set(token->id, token->content);

  vocabulary words;
  for (auto& name : list.names()) {
    vocabulary_entry entry{decoded_name(*name, decoder),
                           plain_kind(*name, decoder)};
    words.add(std::move(*name), std::move(entry));
  }
  for (const auto& token : added)
    words[token.id] = {token.content, token.special ? token_kind::control
                                                    : token_kind::user_defined};
  return words;
}

} // namespace sluice

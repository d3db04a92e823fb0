// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/symbol_tables.hpp"

#include "model/tokenizer/bpe_encoder.hpp"
#include "model/tokenizer/byte_level.hpp"
#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/unicode.hpp"

namespace sluice {

namespace {

/// Whether text of a user may become the token.
bool reachable(token_kind kind) {
  return kind == token_kind::normal || kind == token_kind::user_defined ||
         kind == token_kind::byte;
}

std::uint32_t require_token(std::string_view name, const vocabulary& words,
                            const std::string& subject) {
  if (const auto id = words.find(name))
    return *id;
  refuse_tokenizer(model_fault::missing, subject,
                   "'" + printable(name) + "' is not in the vocabulary");
}

} // namespace

std::array<std::uint32_t, 256> byte_symbols(const vocabulary& words,
                                            bool byte_level) {
  std::array<std::uint32_t, 256> ids{};
  for (std::size_t byte = 0; byte < ids.size(); ++byte) {
    const auto value = static_cast<unsigned char>(byte);
    const auto id = byte_level ? words.find(byte_level_char(value))
                               : words.find_byte(value);
    ids[byte] = id.value_or(bpe_model::no_id);
  }
  return ids;
}

std::unordered_map<char32_t, std::uint32_t>
char_symbols(const vocabulary& words) {
  std::unordered_map<char32_t, std::uint32_t> ids;
  for (std::uint32_t id = 0; id < words.size(); ++id) {
    const auto name = words.name(id);
    if (name.empty() || !reachable(words[id].kind))
      continue;
    const auto [value, length] = decode_utf8(name, 0);
    if (length == name.size() && value != invalid_byte)
      ids.try_emplace(value, id);
  }
  return ids;
}

text_ids whole_words(const vocabulary& words, bool byte_level) {
  text_ids ids;
  for (std::uint32_t id = 0; id < words.size(); ++id) {
    if (!reachable(words[id].kind))
      continue;
    const std::string name(words.name(id));
    if (!byte_level)
      ids.try_emplace(name, id);
    else if (auto bytes = byte_level_bytes(name))
      ids.try_emplace(std::move(*bytes), id);
  }
  return ids;
}

void add_merge(std::string_view left, std::string_view right,
               std::uint32_t rank, const vocabulary& words,
               const std::string& subject, merge_table& merges) {
  const auto left_id = require_token(left, words, subject);
  const auto right_id = require_token(right, words, subject);
  const auto result =
      require_token(std::string(left) + std::string(right), words, subject);
  if (reachable(words[result].kind))
    merges.set(left_id, right_id, {rank, result});
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/added_tokens.hpp"

#include "model/tokenizer/refuse.hpp"
#include "model/tokenizer/unicode.hpp"

#include <algorithm>

namespace sluice {

namespace {

/// Offset of the character that ends at `end`.
std::size_t previous_char(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && end - at < 4 &&
         (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
    --at;
  return at + decode_utf8(text, at).length == end ? at : end - 1;
}

} // namespace

void added_token_matcher::add(added_token token) {
  if (token.content.empty())
    return;
  if (token.content.size() > max_content_bytes)
    refuse_tokenizer(
        model_fault::limit, "added token " + std::to_string(token.id),
        "longer than " + std::to_string(max_content_bytes) + " bytes");
  std::uint32_t at = 0;
  for (char byte : token.content) {
    const auto& children = nodes_[at].children;
    const auto found =
        std::find_if(children.begin(), children.end(),
                     [byte](const auto& child) { return child.first == byte; });
    if (found != children.end()) {
      at = found->second;
      continue;
    }
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    nodes_[at].children.emplace_back(byte, fresh);
    nodes_.emplace_back();
    at = fresh;
  }
  first_bytes_[static_cast<unsigned char>(token.content.front())] = true;
  nodes_[at].token = static_cast<std::uint32_t>(tokens_.size());
  tokens_.push_back(std::move(token));
}

const added_token* added_token_matcher::longest_at(std::string_view text,
                                                   std::size_t at) const {
  std::optional<std::uint32_t> best;
  std::uint32_t state = 0;
  for (; at < text.size(); ++at) {
    const auto& children = nodes_[state].children;
    const auto found =
        std::find_if(children.begin(), children.end(), [&](const auto& child) {
          return child.first == text[at];
        });
    if (found == children.end())
      break;
    state = found->second;
    if (nodes_[state].token)
      best = nodes_[state].token;
  }
  return best ? &tokens_[*best] : nullptr;
}

bool added_token_matcher::stands_alone(std::string_view text, range found) {
  const auto word_at = [&](std::size_t at) {
    return is_word(decode_utf8(text, at).value);
  };
  return (found.begin == 0 || !word_at(previous_char(text, found.begin))) &&
         (found.end == text.size() || !word_at(found.end));
}

added_token_matcher::range
added_token_matcher::stripped(std::string_view text, range found,
                              const added_token& token, std::size_t floor) {
  while (token.lstrip && found.begin > floor) {
    const auto before = previous_char(text, found.begin);
    if (before < floor || !is_space(decode_utf8(text, before).value))
      break;
    found.begin = before;
  }
  while (token.rstrip && found.end < text.size()) {
    const auto after = decode_utf8(text, found.end);
    if (!is_space(after.value))
      break;
    found.end += after.length;
  }
  return found;
}

void added_token_matcher::split(
    std::string_view text, bool parse_special,
    const std::function<void(const text_segment&)>& sink) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto* token = first_bytes_[static_cast<unsigned char>(text[at])]
                            ? longest_at(text, at)
                            : nullptr;
    if (!token) {
      ++at;
      continue;
    }
    const range found{at, at + token->content.size()};
    at = found.end;
    if ((token->special && !parse_special) ||
        (token->single_word && !stands_alone(text, found)))
      continue;
    const auto taken = stripped(text, found, *token, done);
    if (taken.begin > done)
      sink({text.substr(done, taken.begin - done), std::nullopt});
    sink({text.substr(taken.begin, taken.end - taken.begin), token->id});
    at = done = taken.end;
  }
  if (done < text.size())
    sink({text.substr(done), std::nullopt});
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/tokenizer.hpp"

#include "model/tokenizer/tokenizer_parts.hpp"
#include "model/utf8_repair.hpp"

#include <utility>

namespace sluice {

namespace {

/// One call of encode().
class encoding {
public:
  encoding(const tokenizer_parts& parts, bool parse_special)
      : parts_(parts), parse_special_(parse_special) {}

  std::vector<std::uint32_t> run(std::string_view text) {
    parts_.raw_tokens.split(
        text, parse_special_, [&](const text_segment& segment) {
          if (segment.token)
            out_.push_back(*segment.token);
          else
            between(segment.text, segment.text.data() == text.data());
        });
    return std::move(out_);
  }

private:
  void between(std::string_view text, bool at_start) {
    if (parts_.normalize.empty())
      return normalized(text, at_start);
    normalized(parts_.normalize.apply(text), at_start);
  }

  void normalized(std::string_view text, bool at_start) {
    parts_.normalized_tokens.split(
        text, parse_special_, [&](const text_segment& segment) {
          if (segment.token)
            out_.push_back(*segment.token);
          else
            parts_.encoder->encode(
                segment.text, at_start && segment.text.data() == text.data(),
                out_);
        });
  }

  const tokenizer_parts& parts_;
  bool parse_special_;
  std::vector<std::uint32_t> out_;
};

bool begins_with_bos(const tokenizer_parts& parts,
                     const std::vector<std::uint32_t>& ids) {
  return parts.bos && !ids.empty() && ids.front() == *parts.bos;
}

} // namespace

tokenizer::tokenizer(tokenizer_parts parts)
    : parts_(std::make_unique<const tokenizer_parts>(std::move(parts))) {}
tokenizer::~tokenizer() = default;
tokenizer::tokenizer(tokenizer&&) noexcept = default;
tokenizer& tokenizer::operator=(tokenizer&&) noexcept = default;

std::vector<std::uint32_t> tokenizer::encode(std::string_view text,
                                             encode_options options) const {
  auto ids = encoding(*parts_, options.parse_special).run(text);
  if (!options.add_bos_eos_template)
    return ids;
  auto prefix = parts_->prefix;
  if (begins_with_bos(*parts_, ids) && !prefix.empty() &&
      prefix.back() == *parts_->bos)
    prefix.pop_back(); // the text wrote its BOS itself
  ids.insert(ids.begin(), prefix.begin(), prefix.end());
  ids.insert(ids.end(), parts_->suffix.begin(), parts_->suffix.end());
  return ids;
}

std::string tokenizer::decode(std::span<const std::uint32_t> ids,
                              bool skip_special) const {
  std::string text;
  utf8_repair repair;
  for (const auto id : ids)
    if (!skip_special || !is_special(id))
      repair.push(token_bytes(id), text);
  repair.flush(text);
  if (parts_->strip_leading_space && text.starts_with(' '))
    text.erase(0, 1);
  return text;
}

std::string_view tokenizer::token_bytes(std::uint32_t id) const noexcept {
  return id < vocab_size() ? std::string_view(parts_->words[id].text)
                           : std::string_view();
}

bool tokenizer::is_special(std::uint32_t id) const noexcept {
  if (id >= vocab_size())
    return false;
  const auto kind = parts_->words[id].kind;
  return kind == token_kind::control || kind == token_kind::unknown;
}

std::uint32_t tokenizer::vocab_size() const noexcept {
  return parts_->words.size();
}

std::optional<std::uint32_t>
tokenizer::find_token(std::string_view name) const {
  return parts_->words.find(name);
}

std::optional<std::uint32_t> tokenizer::bos() const noexcept {
  return parts_->bos;
}

const std::vector<std::uint32_t>& tokenizer::eos() const noexcept {
  return parts_->eos;
}

const std::string& tokenizer::description() const noexcept {
  return parts_->description;
}

} // namespace sluice

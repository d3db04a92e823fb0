// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/normalizer.hpp"

#include "model/tokenizer/unicode.hpp"

namespace sluice {

namespace {

std::string apply_step(std::string_view text, const unicode_form& form) {
  return normalize(text, form);
}

std::string apply_step(std::string_view text, const prepend_text& step) {
  return text.empty() ? std::string() : step.prefix + std::string(text);
}

std::string apply_step(std::string_view text, const replace_text& step) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0;;) {
    const auto found = text.find(step.pattern, at);
    out.append(text.substr(at, found - at));
    if (found == std::string_view::npos)
      return out;
    out.append(step.content);
    at = found + step.pattern.size();
  }
}

std::string apply_step(std::string_view text, const lower_case&) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto [value, length] = decode_utf8(text, at);
    if (value == 0x130) // the only one whose lower case is two characters
      out.append("i\u0307");
    else if (value == invalid_byte)
      out.push_back(text[at]);
    else
      append_utf8(to_lower(value), out);
    at += length;
  }
  return out;
}

std::string apply_step(std::string_view text, const strip_space& step) {
  std::size_t begin = 0;
  while (step.left && begin < text.size()) {
    const auto [value, length] = decode_utf8(text, begin);
    if (!is_space(value))
      break;
    begin += length;
  }
  std::size_t end = begin; // of the last character that is not white space
  for (std::size_t at = begin; step.right && at < text.size();) {
    const auto [value, length] = decode_utf8(text, at);
    at += length;
    if (!is_space(value))
      end = at;
  }
  return std::string(
      text.substr(begin, step.right ? end - begin : std::string_view::npos));
}

} // namespace

std::string normalizer::apply(std::string_view text) const {
  std::string current(text);
  for (const auto& step : steps_)
    current = std::visit(
        [&](const auto& kind) { return apply_step(current, kind); }, step);
  return current;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/pattern_scanner.hpp"

#include "model/tokenizer/unicode.hpp"

#include <utility>

namespace sluice {

namespace {

/// [^\s\p{L}\p{N}]
bool is_symbol(char_class kind) {
  return kind == char_class::mark || kind == char_class::other;
}

/// The class that the runs of the patterns are made of.
char_class run_class(char_class kind) {
  return kind == char_class::mark ? char_class::other : kind;
}

char_class class_at(std::string_view text, std::size_t at) {
  return at < text.size() ? classify(decode_utf8(text, at).value)
                          : char_class::space;
}

/// End of the run of characters of one class that begins at `at`.
std::size_t run_end(std::string_view text, std::size_t at, char_class kind) {
  while (at < text.size()) {
    const auto [value, length] = decode_utf8(text, at);
    if (run_class(classify(value)) != kind)
      break;
    at += length;
  }
  return at;
}

/// The letter a character is in `(?i:...)`; U+017F folds to s.
char32_t fold(char32_t value) {
  if (value >= U'A' && value <= U'Z')
    return value + 32;
  return value == 0x17F ? U's' : value;
}

/// End of 's, 't, 're, 've, 'm, 'll or 'd, whose apostrophe ends at `at`; `at`
/// itself if there is none.
std::size_t contraction_end(std::string_view text, std::size_t at,
                            bool folded) {
  const auto letter_at = [&](std::size_t from) {
    if (from >= text.size())
      return std::pair{char32_t{0}, from};
    const auto [value, length] = decode_utf8(text, from);
    return std::pair{folded ? fold(value) : value, from + length};
  };
  const auto [first, second_at] = letter_at(at);
  if (first == U's' || first == U't' || first == U'm' || first == U'd')
    return second_at;
  const auto [second, end] = letter_at(second_at);
  const bool two = ((first == U'r' || first == U'v') && second == U'e') ||
                   (first == U'l' && second == U'l');
  return two ? end : at;
}

/// `\s+(?!\S)|\s+`, after `\s*[\r\n]+` where the pattern has it: up to the last
/// line break of the run, else the run without the character that the next
/// word may take.
std::size_t space_end(std::string_view text, std::size_t at, bool to_newline) {
  std::size_t last = at; // where the last character of the run begins
  std::size_t newline = at;
  std::size_t end = at;
  while (end < text.size()) {
    const auto [value, length] = decode_utf8(text, end);
    if (!is_space(value))
      break;
    last = end;
    end += length;
    if (to_newline && is_newline(value))
      newline = end;
  }
  if (newline > at)
    return newline;
  return end < text.size() && last > at ? last : end;
}

/// `[^\s\p{L}\p{N}]+[\r\n]*` from `at`.
std::size_t symbols_end(std::string_view text, std::size_t at) {
  at = run_end(text, at, char_class::other);
  while (at < text.size() && (text[at] == '\r' || text[at] == '\n'))
    ++at;
  return at;
}

/// `\p{N}{1,most}` whose first number ends at `at`.
std::size_t digits_end(std::string_view text, std::size_t at, int most) {
  for (int count = 1; count < most; ++count) {
    if (class_at(text, at) != char_class::number)
      break;
    at += decode_utf8(text, at).length;
  }
  return at;
}

std::size_t scan_llama_family(std::string_view text, std::size_t at,
                              int most_digits) {
  const auto [value, length] = decode_utf8(text, at);
  const auto second = at + length;
  if (value == U'\'')
    if (const auto end = contraction_end(text, second, true); end > second)
      return end;
  const auto kind = classify(value);
  if (kind == char_class::letter)
    return run_end(text, second, char_class::letter);
  if (kind == char_class::number)
    return digits_end(text, second, most_digits);
  const auto next = class_at(text, second);
  if (!is_newline(value) && next == char_class::letter)
    return run_end(text, second, char_class::letter);
  if (is_symbol(kind) || (value == U' ' && is_symbol(next)))
    return symbols_end(text, second);
  return space_end(text, at, true);
}

} // namespace

std::size_t scan_gpt2(std::string_view text, std::size_t at) {
  const auto [value, length] = decode_utf8(text, at);
  const auto second = at + length;
  if (value == U'\'')
    if (const auto end = contraction_end(text, second, false); end > second)
      return end;
  auto kind = classify(value);
  if (value == U' ')
    kind = class_at(text, second);
  if (kind == char_class::space)
    return space_end(text, at, false);
  return run_end(text, second, run_class(kind));
}

std::size_t scan_llama3(std::string_view text, std::size_t at) {
  return scan_llama_family(text, at, 3);
}

std::size_t scan_qwen2(std::string_view text, std::size_t at) {
  return scan_llama_family(text, at, 1);
}

pattern_scanner find_scanner(std::string_view pattern) noexcept {
  constexpr std::pair<std::string_view, pattern_scanner> known[] = {
      {gpt2_pattern, scan_gpt2},
      {llama3_pattern, scan_llama3},
      {qwen2_pattern, scan_qwen2}};
  for (const auto& [text, scanner] : known)
    if (text == pattern)
      return scanner;
  return nullptr;
}

} // namespace sluice

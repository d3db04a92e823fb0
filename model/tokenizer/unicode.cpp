// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/unicode.hpp"

#include "model/tokenizer/unicode_16.hpp"

#include <algorithm>
#include <array>

#include <utf8proc.h>

namespace sluice {

namespace {

char_class category_class(utf8proc_category_t category) noexcept {
  switch (category) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    return char_class::letter;
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
    return char_class::number;
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
    return char_class::mark;
  default:
    return char_class::other;
  }
}

utf8proc_category_t newer_category(char32_t value) noexcept {
  const auto found = std::lower_bound(
      unicode_16_ranges.begin(), unicode_16_ranges.end(), value,
      [](const category_range& range, char32_t at) { return range.last < at; });
  return found != unicode_16_ranges.end() && value >= found->first
             ? found->category
             : UTF8PROC_CATEGORY_CN;
}

utf8proc_category_t category(char32_t value) noexcept {
  if (value > 0x10FFFF)
    return UTF8PROC_CATEGORY_CN;
  const auto known = utf8proc_category(static_cast<utf8proc_int32_t>(value));
  return known == UTF8PROC_CATEGORY_CN ? newer_category(value) : known;
}

/// Characters that are no letters by category but have the property
/// Other_Alphabetic, and the two joiners.
bool is_word_symbol(char32_t value) noexcept {
  return (value >= 0x24B6 && value <= 0x24E9) ||
         (value >= 0x1F130 && value <= 0x1F149) ||
         (value >= 0x1F150 && value <= 0x1F169) ||
         (value >= 0x1F170 && value <= 0x1F189) || value == 0x200C ||
         value == 0x200D;
}

char_class look_up(char32_t value) noexcept {
  return is_space(value) ? char_class::space : category_class(category(value));
}

/// Most text is ASCII: one load instead of two table levels.
const std::array<char_class, 128>& ascii_classes() noexcept {
  static const auto table = [] {
    std::array<char_class, 128> classes{};
    for (char32_t value = 0; value < 128; ++value)
      classes[value] = look_up(value);
    return classes;
  }();
  return table;
}

} // namespace

decoded_char decode_utf8(std::string_view text, std::size_t at) noexcept {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80)
    return {lead, 1};
  utf8proc_int32_t value = -1;
  const auto length = utf8proc_iterate(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
      static_cast<utf8proc_ssize_t>(text.size() - at), &value);
  if (length < 1)
    return {invalid_byte, 1};
  return {static_cast<char32_t>(value), static_cast<std::size_t>(length)};
}

void append_utf8(char32_t value, std::string& out) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length =
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(value), bytes.data());
  out.append(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::size_t>(length));
}

bool is_space(char32_t value) noexcept {
  if (value < 0x80)
    return value == ' ' || (value >= 0x09 && value <= 0x0D);
  switch (value) {
  case 0x0085:
  case 0x00A0:
  case 0x1680:
  case 0x2028:
  case 0x2029:
  case 0x202F:
  case 0x205F:
  case 0x3000:
    return true;
  default:
    return value >= 0x2000 && value <= 0x200A;
  }
}

bool is_punctuation(char32_t value) noexcept {
  if (value < 0x80)
    return value > 0x20 && value < 0x7F && classify(value) == char_class::other;
  switch (category(value)) {
  case UTF8PROC_CATEGORY_PC:
  case UTF8PROC_CATEGORY_PD:
  case UTF8PROC_CATEGORY_PS:
  case UTF8PROC_CATEGORY_PE:
  case UTF8PROC_CATEGORY_PI:
  case UTF8PROC_CATEGORY_PF:
  case UTF8PROC_CATEGORY_PO:
    return true;
  default:
    return false;
  }
}

bool is_word(char32_t value) noexcept {
  const auto kind = classify(value);
  if (kind == char_class::letter || kind == char_class::mark)
    return true;
  const auto detail = category(value);
  return detail == UTF8PROC_CATEGORY_ND || detail == UTF8PROC_CATEGORY_NL ||
         detail == UTF8PROC_CATEGORY_PC || is_word_symbol(value);
}

char32_t to_lower(char32_t value) noexcept {
  return static_cast<char32_t>(
      utf8proc_tolower(static_cast<utf8proc_int32_t>(value)));
}

char_class classify(char32_t value) noexcept {
  return value < 0x80 ? ascii_classes()[value] : look_up(value);
}

} // namespace sluice

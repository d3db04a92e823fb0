// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

/// Stands for a byte that begins no well-formed UTF-8 character.
inline constexpr char32_t invalid_byte = 0xFFFFFFFF;

struct decoded_char {
  char32_t value;     // a code point, or invalid_byte
  std::size_t length; // bytes it took, at least 1
};

/// Decodes the character at an offset; never fails and never stands still.
/// @param at  less than text.size().
decoded_char decode_utf8(std::string_view text, std::size_t at) noexcept;

/// Appends the UTF-8 form of a code point.
void append_utf8(char32_t value, std::string& out);

/// What pre-tokenizer patterns ask of a character: \p{L}, \p{N}, \p{M}, \s or
/// none of them. The four sets are disjoint.
enum class char_class : std::uint8_t { letter, number, mark, space, other };

/// @note Categories of Unicode 16; invalid_byte and unassigned code points are
///       `other`.
char_class classify(char32_t value) noexcept;

/// The property White_Space.
bool is_space(char32_t value) noexcept;

/// General category P, or ASCII punctuation.
bool is_punctuation(char32_t value) noexcept;

/// Word characters: alphabetic, marks, decimal digits, connectors, joiners.
/// @source Unicode Technical Standard 18, annex C, \w.
bool is_word(char32_t value) noexcept;

/// Simple lower-case mapping of one character.
char32_t to_lower(char32_t value) noexcept;

inline bool is_newline(char32_t value) noexcept {
  return value == U'\n' || value == U'\r';
}

} // namespace sluice

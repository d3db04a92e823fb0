// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

/// Makes valid UTF-8 of a byte stream that comes in arbitrary cuts.
///
/// Whole characters pass at once; an unfinished one (at most three bytes)
/// waits; what can no longer become a character turns into U+FFFD, one for
/// each maximal well-formed prefix, as soon as that is certain.
/// @source The Unicode Standard 15, section 3.9, "U+FFFD substitution of
///         maximal subparts".
class utf8_repair {
public:
  /// Appends to out what the bytes complete.
  void push(std::string_view bytes, std::string& out);

  /// Ends the stream: an unfinished character becomes U+FFFD.
  void flush(std::string& out);

  /// Bytes that wait for the rest of their character, 0 to 3.
  std::size_t pending() const noexcept { return count_; }

private:
  void push_byte(unsigned char byte, std::string& out);
  void begin(unsigned char byte, std::string& out);

  std::array<char, 4> tail_{};
  std::uint8_t count_ = 0;    // bytes in tail_
  std::uint8_t expected_ = 0; // bytes of the character begun
  std::uint8_t low_ = 0x80;   // range of the next continuation byte
  std::uint8_t high_ = 0xBF;
};

} // namespace sluice

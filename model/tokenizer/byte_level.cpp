// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/byte_level.hpp"

#include "model/tokenizer/unicode.hpp"

#include <array>
#include <cstdint>

namespace sluice {

namespace {

constexpr int no_byte = -1;

struct byte_alphabet {
  std::array<std::string, 256> chars;
  std::array<std::int16_t, 0x144> bytes; // by code point, or no_byte
};

bool prints(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
         byte >= 0xAE;
}

const byte_alphabet& alphabet() {
  static const auto built = [] {
    byte_alphabet result;
    result.bytes.fill(no_byte);
    char32_t substitute = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const auto value =
          prints(byte) ? static_cast<char32_t>(byte) : substitute++;
      append_utf8(value, result.chars[static_cast<std::size_t>(byte)]);
      result.bytes[value] = static_cast<std::int16_t>(byte);
    }
    return result;
  }();
  return built;
}

} // namespace

std::string_view byte_level_char(unsigned char byte) noexcept {
  return alphabet().chars[byte];
}

std::optional<std::string> byte_level_bytes(std::string_view name) {
  const auto& bytes = alphabet().bytes;
  std::string result;
  for (std::size_t at = 0; at < name.size();) {
    const auto [value, length] = decode_utf8(name, at);
    if (value >= bytes.size() || bytes[value] == no_byte)
      return std::nullopt;
    result.push_back(static_cast<char>(bytes[value]));
    at += length;
  }
  return result;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/utf8.hpp"

#include <cstdint>

namespace sluice {

namespace {

/// What may follow a leading byte.
struct continuation {
  std::size_t count; ///< continuation bytes; 4 = not a leading byte
  std::uint8_t low;  ///< range of the first of them
  std::uint8_t high;
};

continuation after(std::uint8_t lead) {
  if (lead < 0x80)
    return {0, 0, 0};
  if (lead >= 0xc2 && lead <= 0xdf)
    return {1, 0x80, 0xbf};
  if (lead >= 0xe0 && lead <= 0xef)
    return {2, std::uint8_t(lead == 0xe0 ? 0xa0 : 0x80),
            std::uint8_t(lead == 0xed ? 0x9f : 0xbf)};
  if (lead >= 0xf0 && lead <= 0xf4)
    return {3, std::uint8_t(lead == 0xf0 ? 0x90 : 0x80),
            std::uint8_t(lead == 0xf4 ? 0x8f : 0xbf)};
  return {4, 0, 0};
}

} // namespace

bool is_utf8(std::span<const std::byte> bytes) {
  const auto at = [&](std::size_t i) { return std::uint8_t(bytes[i]); };
  for (std::size_t i = 0; i < bytes.size();) {
    const auto [count, low, high] = after(at(i++));
    if (count > 3 || count > bytes.size() - i)
      return false;
    for (std::size_t k = 0; k < count; ++k, ++i)
      if (at(i) < (k == 0 ? low : 0x80) || at(i) > (k == 0 ? high : 0xbf))
        return false;
  }
  return true;
}

} // namespace sluice

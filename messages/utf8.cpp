// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstring>

#include "messages/walk.hpp"

namespace sluice::messages {
namespace {

/// What may follow a lead byte: how many continuation bytes, and the range of
/// the first (RFC 3629, section 4); the others are 80 to BF.
struct lead_rule {
  std::size_t following;
  std::uint8_t low;
  std::uint8_t high;
};

lead_rule rule_of(std::uint8_t lead) {
  if (lead >= 0xC2 && lead <= 0xDF)
    return {1, 0x80, 0xBF};
  if (lead == 0xE0)
    return {2, 0xA0, 0xBF};
  if (lead == 0xED)
    return {2, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF)
    return {2, 0x80, 0xBF};
  if (lead == 0xF0)
    return {3, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3)
    return {3, 0x80, 0xBF};
  if (lead == 0xF4)
    return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

/// Length of the character at @p at, or 0 if it is none.
std::size_t character_length(const std::uint8_t* at, std::size_t left) {
  if (*at < 0x80)
    return 1;
  const auto rule = rule_of(*at);
  if (rule.following == 0 || rule.following >= left)
    return 0;
  if (at[1] < rule.low || at[1] > rule.high)
    return 0;
  for (std::size_t i = 2; i <= rule.following; ++i)
    if ((at[i] & 0xC0) != 0x80)
      return 0;
  return rule.following + 1;
}

bool eight_are_ascii(const std::uint8_t* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return (word & 0x8080808080808080u) == 0;
}

} // namespace

bool is_utf8(std::string_view text) noexcept {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  auto left = text.size();
  while (left > 0) {
    const auto length =
        left >= 8 && eight_are_ascii(at) ? 8 : character_length(at, left);
    if (length == 0)
      return false;
    at += length;
    left -= length;
  }
  return true;
}

} // namespace sluice::messages

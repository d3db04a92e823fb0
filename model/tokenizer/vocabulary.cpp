// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/vocabulary.hpp"

#include <charconv>

namespace sluice {

void vocabulary::add(std::string name, vocabulary_entry entry) {
  by_name_.try_emplace(name, size());
  names_.push_back(std::move(name));
  entries_.push_back(std::move(entry));
}

std::optional<std::uint32_t> vocabulary::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end())
    return std::nullopt;
  return found->second;
}

std::optional<std::uint32_t> vocabulary::find_byte(unsigned char byte) const {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const char name[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15],
                       '>'};
  return find({name, sizeof name});
}

std::optional<unsigned char> parse_byte_token(std::string_view name) noexcept {
  if (name.size() != 6 || !name.starts_with("<0x") || name.back() != '>')
    return std::nullopt;
  unsigned char byte = 0;
  const auto* end = name.data() + 5;
  const auto [stop, error] = std::from_chars(name.data() + 3, end, byte, 16);
  if (error != std::errc{} || stop != end)
    return std::nullopt;
  return byte;
}

} // namespace sluice

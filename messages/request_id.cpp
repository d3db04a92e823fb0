// SPDX-License-Identifier: Apache-2.0
#include "messages/request_id.hpp"

#include <charconv>
#include <cstdio>
#include <random>

namespace sluice::messages {

request_id request_id::random() {
  std::random_device source;
  const auto word = [&source] {
    return static_cast<std::uint64_t>(source()) << 32 | source();
  };
  return {word(), word()};
}

std::string request_id::hex() const {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx",
                static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

std::optional<request_id> request_id::parse(std::string_view hex) {
  if (hex.size() != 32)
    return std::nullopt;
  request_id id;
  const auto read = [](std::string_view digits, std::uint64_t& value) {
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
    return error == std::errc{} && stop == end && digits[0] != '-';
  };
  if (!read(hex.substr(0, 16), id.high) || !read(hex.substr(16), id.low))
    return std::nullopt;
  return id;
}

} // namespace sluice::messages

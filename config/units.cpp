// SPDX-License-Identifier: Apache-2.0
#include "config/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

namespace sluice::config {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first within a family: the printer takes the first exact one.
constexpr std::array size_units{
    unit{"TiB", 1ull << 40},
    unit{"GiB", 1ull << 30},
    unit{"MiB", 1ull << 20},
    unit{"KiB", 1ull << 10},
    unit{"TB", 1'000'000'000'000},
    unit{"GB", 1'000'000'000},
    unit{"MB", 1'000'000},
    unit{"KB", 1'000},
    unit{"B", 1},
};
constexpr std::size_t binary_units = 4;

constexpr std::array duration_units{
    unit{"d", 86'400'000}, unit{"h", 3'600'000}, unit{"min", 60'000},
    unit{"s", 1'000},      unit{"ms", 1},
};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Splits "8 GiB" into 8 and "GiB"; nothing if no whole number comes first.
std::optional<std::pair<std::uint64_t, std::string_view>>
split_number(std::string_view text) {
  text = trim(text);
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{})
    return std::nullopt;
  return std::pair{number, trim({rest, static_cast<std::size_t>(end - rest)})};
}

std::optional<std::uint64_t> scale(std::uint64_t number, std::string_view name,
                                   std::span<const unit> units,
                                   std::uint64_t largest) {
  for (const auto& candidate : units)
    if (candidate.name == name && number <= largest / candidate.factor)
      return number * candidate.factor;
  return std::nullopt;
}

std::string print(std::uint64_t number, std::span<const unit> units,
                  std::string_view base) {
  if (number != 0)
    for (const auto& candidate : units)
      if (number % candidate.factor == 0)
        return std::to_string(number / candidate.factor) +
               std::string{candidate.name};
  return std::to_string(number) + std::string{base};
}

} // namespace

std::optional<byte_size> parse_byte_size(std::string_view text) {
  const auto parts = split_number(text);
  if (!parts)
    return std::nullopt;
  const auto name = parts->second.empty() ? "B" : parts->second;
  const auto bytes = scale(parts->first, name, size_units,
                           std::numeric_limits<std::uint64_t>::max());
  return bytes ? std::optional{byte_size{*bytes}} : std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  using std::chrono::milliseconds;
  const auto parts = split_number(text);
  if (!parts)
    return std::nullopt;
  if (parts->first == 0 && parts->second.empty())
    return milliseconds{0};
  constexpr auto largest = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  const auto count =
      scale(parts->first, parts->second, duration_units, largest);
  return count ? std::optional{milliseconds{*count}} : std::nullopt;
}

std::string to_string(byte_size size) {
  return print(size.count, std::span{size_units}.first<binary_units>(), "B");
}

std::string to_string(std::chrono::milliseconds duration) {
  return print(static_cast<std::uint64_t>(duration.count()), duration_units,
               "s");
}

} // namespace sluice::config

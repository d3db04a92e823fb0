// SPDX-License-Identifier: Apache-2.0
#include "config/tenant_weights.hpp"

#include <charconv>

#include "config/config.hpp"

namespace sluice::config {
namespace {

constexpr std::uint32_t heaviest = 1000;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

[[noreturn]] void refuse(std::string_view part, std::string_view why) {
  throw config_error{"'" + std::string{part} + "' " + std::string{why} +
                     "; write tenants and weights from 1 to 1000 as in "
                     "gold=4,free=1"};
}

std::uint32_t weight_in(std::string_view part, std::string_view digits) {
  std::uint32_t weight = 0;
  const auto* end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, weight);
  if (error != std::errc{} || rest != end || weight == 0 || weight > heaviest)
    refuse(part, "has no such weight");
  return weight;
}

} // namespace

std::map<std::string, std::uint32_t>
parse_tenant_weights(std::string_view text) {
  std::map<std::string, std::uint32_t> weights;
  while (!trimmed(text).empty()) {
    const auto comma = text.find(',');
    const auto part = trimmed(text.substr(0, comma));
    const auto equals = part.rfind('=');
    if (equals == part.npos || equals == 0)
      refuse(part, "names no tenant and weight");
    const auto name = std::string{trimmed(part.substr(0, equals))};
    const auto weight = weight_in(part, trimmed(part.substr(equals + 1)));
    if (!weights.emplace(name, weight).second)
      refuse(part, "weighs a tenant twice");
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  }
  return weights;
}

} // namespace sluice::config

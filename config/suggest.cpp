// SPDX-License-Identifier: Apache-2.0
#include "config/options.hpp"

#include <algorithm>
#include <numeric>

namespace sluice::config {
namespace {

/// Levenshtein distance; both texts are short (keys).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

std::string_view without_section(std::string_view key) {
  return key.substr(key.find('.') + 1);
}

/// How far a wrong key is from a right one; a right name in a wrong section
/// is near.
std::size_t distance(std::string_view wrong, std::string_view right) {
  const auto whole = edit_distance(wrong, right);
  const auto name =
      edit_distance(without_section(wrong), without_section(right));
  return std::min(whole, name + 1);
}

} // namespace

std::string suggest(std::string_view unknown_key) {
  constexpr std::size_t longest_key = 64;
  constexpr std::size_t near = 4;
  config defaults;
  const auto list = options(defaults);
  const auto key = unknown_key.substr(0, longest_key);
  const auto best =
      std::min_element(list.begin(), list.end(), [&](auto& a, auto& b) {
        return distance(key, a.key) < distance(key, b.key);
      });
  if (distance(key, best->key) < near)
    return "did you mean '" + std::string{best->key} + "'?";
  return "`sluice config print` lists all options";
}

} // namespace sluice::config

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Finds the first occurrence of any of several strings in a byte stream.
///
/// One Knuth-Morris-Pratt automaton per string, so the cost of a byte is
/// amortised constant per string, whatever the text. First means: the one
/// that ends first; among those that end at the same byte, the longest.
class stop_matcher {
public:
  struct match {
    std::size_t length;  // bytes of the string, the last of them just pushed
    std::uint32_t index; // which string
  };

  /// @throws contract_violation for an empty string.
  explicit stop_matcher(const std::vector<std::string>& strings);

  /// Advances by one byte.
  std::optional<match> push(char byte);

  /// Length of the longest suffix of the pushed bytes that some string begins
  /// with: what must be held back.
  std::size_t held() const noexcept;

private:
  struct pattern {
    std::string text;
    std::vector<std::uint32_t> border; // failure function per prefix length
  };

  std::shared_ptr<const std::vector<pattern>> patterns_;
  std::vector<std::uint32_t> states_; // matched length per pattern
};

} // namespace sluice

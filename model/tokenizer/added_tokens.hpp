// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

/// A token that is matched in the text before any merging.
struct added_token {
  std::string content;
  std::uint32_t id = 0;
  bool special = false;     // a control token: matched on request only
  bool single_word = false; // not beside word characters
  bool lstrip = false;      // takes the white space before it
  bool rstrip = false;      // takes the white space after it
  bool normalized = false;  // matched in the normalised text
};

/// A stretch of text: an added token, or what lies between two of them.
struct text_segment {
  std::string_view text;
  std::optional<std::uint32_t> token;
};

/// Cuts a text at added tokens: the leftmost match first, of those the
/// longest.
class added_token_matcher {
public:
  /// Longer contents are refused, so that matching stays linear.
  static constexpr std::size_t max_content_bytes = 1024;

  /// @throws model_error for a content that is too long.
  void add(added_token token);

  bool empty() const noexcept { return tokens_.empty(); }

  /// Calls the sink with every segment in order; none is empty.
  /// @param parse_special  whether control tokens match; if not they stay
  ///                       part of the text around them.
  void split(std::string_view text, bool parse_special,
             const std::function<void(const text_segment&)>& sink) const;

private:
  struct node {
    std::vector<std::pair<char, std::uint32_t>> children;
    std::optional<std::uint32_t> token; // index into tokens_
  };
  struct range {
    std::size_t begin;
    std::size_t end;
  };

  const added_token* longest_at(std::string_view text, std::size_t at) const;
  static bool stands_alone(std::string_view text, range found);
  static range stripped(std::string_view text, range found,
                        const added_token& token, std::size_t floor);

  std::vector<added_token> tokens_;
  std::vector<node> nodes_{1};
  std::array<bool, 256> first_bytes_{};
};

} // namespace sluice

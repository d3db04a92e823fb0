// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice {

/// Unicode normalisation form.
struct unicode_form {
  bool compose;       // NFC, NFKC; otherwise NFD, NFKD
  bool compatibility; // NFKC, NFKD
};

/// Puts a text in front of a text that is not empty.
struct prepend_text {
  std::string prefix;
};

/// Replaces every occurrence of a literal text.
struct replace_text {
  std::string pattern; // not empty
  std::string content;
};

/// Maps every character to lower case, without context.
struct lower_case {};

/// Removes white space at the ends.
struct strip_space {
  bool left;
  bool right;
};

using normalizer_step = std::variant<unicode_form, prepend_text, replace_text,
                                     lower_case, strip_space>;

/// The steps that a text goes through before it is cut into pieces.
class normalizer {
public:
  void add(normalizer_step step) { steps_.push_back(std::move(step)); }
  bool empty() const noexcept { return steps_.empty(); }

  /// @note Linear for replacements, O(n log n) for normal forms whatever the
  ///       run of combining marks. Bytes that are not UTF-8 pass unchanged.
  std::string apply(std::string_view text) const;

private:
  std::vector<normalizer_step> steps_;
};

/// One normal form of a text.
/// @source Unicode Standard Annex 15; data of utf8proc.
std::string normalize(std::string_view text, unicode_form form);

} // namespace sluice

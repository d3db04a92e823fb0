// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/pattern_scanner.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// A part of a text on its way to the merges.
struct text_piece {
  std::string_view text;
  bool at_start; // whether it begins the whole text
};

using piece_sink = std::function<void(text_piece)>;

/// One rule that cuts pieces into smaller ones, in order. Const and shared
/// between threads. Cost linear in the text.
class pre_tokenizer {
public:
  virtual ~pre_tokenizer() = default;
  virtual void split(text_piece piece, const piece_sink& sink) const = 0;
};

using pre_tokenizer_ptr = std::unique_ptr<const pre_tokenizer>;

/// What a rule does with the matches of its pattern.
enum class split_behavior {
  removed,
  isolated,
  merged_with_previous,
  merged_with_next,
  contiguous
};

/// Finds the matches of a pattern: calls the sink with every stretch in
/// order, matches and what lies between them; stretches may be empty.
using match_sink = std::function<void(std::string_view stretch, bool match)>;
using match_finder = std::function<void(std::string_view, const match_sink&)>;

/// The scanner of a known pattern, every match a piece.
pre_tokenizer_ptr make_scanner_split(pattern_scanner scanner);

/// A pattern with one of the five behaviours.
/// @param invert  swaps matches and what lies between them.
pre_tokenizer_ptr make_match_split(match_finder finder, split_behavior behavior,
                                   bool invert);

/// "▁" for spaces and in front.
struct metaspace_rule {
  enum class prefix { first, never, always };
  std::string replacement = "\u2581";
  prefix prepend = prefix::always;
  bool split = true;
};
pre_tokenizer_ptr make_metaspace(metaspace_rule rule);

/// Puts a space in front of pieces that have none.
pre_tokenizer_ptr make_space_prefix();

/// The rules one after the other.
pre_tokenizer_ptr make_sequence(std::vector<pre_tokenizer_ptr> rules);

/// Match finders of the simple rules.
match_finder find_literal(std::string pattern);
match_finder find_characters(bool (*in_class)(char32_t), bool one_by_one);
/// The WhitespaceSplit and Whitespace rules' words: `\w+|[^\w\s]+`.
match_finder find_words();

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
// The hand-written scanners against PCRE2 running the published patterns.
#include "model/tokenizer/pattern_scanner.hpp"

#include "model/tokenizer/regex.hpp"
#include "model/tokenizer/unicode.hpp"
#include "tests/model/tokenizer/sample_text.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

using pieces = std::vector<std::string_view>;

struct known_pattern {
  std::string_view text;
  pattern_scanner scanner;
};
constexpr std::array known_patterns{known_pattern{gpt2_pattern, scan_gpt2},
                                    known_pattern{llama3_pattern, scan_llama3},
                                    known_pattern{qwen2_pattern, scan_qwen2}};

pieces scanned(pattern_scanner scanner, std::string_view text) {
  pieces found;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = scanner(text, at);
    if (end <= at) // asserting on each piece would take most of the time
      BOOST_FAIL("the scanner stands still");
    found.push_back(text.substr(at, end - at));
    at = end;
  }
  return found;
}

pieces matched(const match_finder& regex, std::string_view text) {
  pieces found;
  regex(text, [&](std::string_view stretch, bool match) {
    if (match || !stretch.empty())
      found.push_back(stretch);
  });
  return found;
}

void compare(const known_pattern& pattern, const match_finder& oracle,
             std::string_view text) {
  const auto mine = scanned(pattern.scanner, text);
  const auto theirs = matched(oracle, text);
  if (mine == theirs)
    return;
  const auto [a, b] =
      std::mismatch(mine.begin(), mine.end(), theirs.begin(), theirs.end());
  BOOST_ERROR(pattern.text << ": the scanner cuts '"
                           << (a == mine.end() ? "" : *a) << "', PCRE2 '"
                           << (b == theirs.end() ? "" : *b) << "' in '" << text
                           << "'");
}

/// Whether PCRE2's Unicode version has the character at all.
bool is_settled(const match_finder& unassigned, char32_t value) {
  std::string text;
  append_utf8(value, text);
  bool old = true;
  unassigned(text, [&](std::string_view, bool match) { old = old && !match; });
  return old || classify(value) == char_class::other;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_pattern_scanner)

BOOST_AUTO_TEST_CASE(every_code_point_in_context) {
  std::vector<match_finder> oracles;
  for (const auto& pattern : known_patterns)
    oracles.push_back(find_regex(pattern.text));
  const auto unassigned = find_regex(R"(\p{Cn})");
  for (char32_t block = 0; block < 0x110000; block += 0x100) {
    // Beyond the ideographs one block of each plane stands for the rest.
    if (block >= 0x32400 && block % 0x10000 != 0)
      continue;
    std::string text;
    for (auto value = block; value < block + 0x100; ++value) {
      if ((value >= 0xD800 && value <= 0xDFFF) ||
          !is_settled(unassigned, value))
        continue;
      std::string c;
      append_utf8(value, c);
      text += "x" + c + "1 " + c + "-" + c + "y'" + c;
    }
    for (std::size_t at = 0; at < known_patterns.size(); ++at)
      compare(known_patterns[at], oracles[at], text);
  }
}

BOOST_AUTO_TEST_CASE(random_strings_of_telling_characters) {
  constexpr std::string_view alphabet[] = {
      "a",       "S",      "t",         "L",  "l",  "r",      "e",
      "1",       "22",     " ",         "  ", "\n", "\r",     "\r\n",
      "\t",      "\u00a0", "'",         "''", "!",  ".",      "\u0301",
      "e\u0301", "\u4e2d", "\u00b2",    "_",  "\v", "\u2028", "\xc2\x85",
      "\u3000",  "\u017f", "\U0001f600"};
  sample_text random(7);
  for (const auto& pattern : known_patterns) {
    const auto oracle = find_regex(pattern.text);
    for (int round = 0; round < 20000; ++round) {
      std::string text;
      for (auto left = random.below(14); left > 0; --left)
        text += alphabet[random.below(std::size(alphabet))];
      compare(pattern, oracle, text);
    }
  }
}

BOOST_AUTO_TEST_CASE(marks_are_no_letters) {
  // A base letter and its marks part where the pattern says \p{L}+.
  BOOST_TEST((scanned(scan_llama3, "e\u0301a") == pieces{"e", "\u0301a"}));
  BOOST_TEST((scanned(scan_gpt2, "e\u0301a") == pieces{"e", "\u0301", "a"}));
}

BOOST_AUTO_TEST_CASE(digits) {
  BOOST_TEST((scanned(scan_llama3, "12345") == pieces{"123", "45"}));
  BOOST_TEST((scanned(scan_qwen2, "123") == pieces{"1", "2", "3"}));
  BOOST_TEST((scanned(scan_gpt2, " 12345") == pieces{" 12345"}));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8_are_symbols) {
  const std::string_view text = "a\xff\xc3 b\xe4\xb8";
  for (const auto& pattern : known_patterns) {
    std::string joined;
    for (const auto piece : scanned(pattern.scanner, text))
      joined += piece;
    BOOST_TEST(joined == text);
  }
  BOOST_TEST(
      (scanned(scan_gpt2, text) == pieces{"a", "\xff\xc3", " b", "\xe4\xb8"}));
}

BOOST_AUTO_TEST_CASE(only_the_published_patterns_have_scanners) {
  BOOST_TEST(find_scanner(llama3_pattern) == scan_llama3);
  BOOST_TEST(find_scanner(R"(\p{L}+)") == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test

// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/added_tokens.hpp"

#include "model/checkpoint/model_error.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

using list = std::vector<std::string>;

list cut(const std::vector<added_token>& tokens, std::string_view text,
         bool parse_special = true) {
  added_token_matcher matcher;
  for (const auto& token : tokens)
    matcher.add(token);
  list found;
  matcher.split(text, parse_special, [&](const text_segment& segment) {
    const auto mark = segment.token ? std::to_string(*segment.token) : "";
    found.push_back(mark + ":" + std::string(segment.text));
  });
  return found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_added_tokens)

BOOST_AUTO_TEST_CASE(leftmost_then_longest) {
  const std::vector<added_token> tokens{{.content = "ab", .id = 1},
                                        {.content = "abcd", .id = 2},
                                        {.content = "bc", .id = 3}};
  BOOST_TEST((cut(tokens, "abc") == list{"1:ab", ":c"}));
  BOOST_TEST((cut(tokens, "xabcdbc") == list{":x", "2:abcd", "3:bc"}));
  BOOST_TEST((cut(tokens, "") == list{}));
}

BOOST_AUTO_TEST_CASE(special_tokens_of_users_stay_text) {
  const std::vector<added_token> tokens{
      {.content = "<s>", .id = 1, .special = true},
      {.content = "<t>", .id = 2}};
  BOOST_TEST((cut(tokens, "a<s>b<t>", false) == list{":a<s>b", "2:<t>"}));
  BOOST_TEST(
      (cut(tokens, "a<s>b<t>", true) == list{":a", "1:<s>", ":b", "2:<t>"}));
}

BOOST_AUTO_TEST_CASE(strips_white_space_around) {
  const std::vector<added_token> tokens{
      {.content = "<l>", .id = 1, .lstrip = true},
      {.content = "<r>", .id = 2, .rstrip = true}};
  BOOST_TEST(
      (cut(tokens, "a \u3000<l> b") == list{":a", "1: \u3000<l>", ": b"}));
  BOOST_TEST(
      (cut(tokens, "a <r>\n\u00a0 b") == list{":a ", "2:<r>\n\u00a0 ", ":b"}));
  // What the first has taken is not there for the second.
  BOOST_TEST((cut(tokens, "<r>  <l>") == list{"2:<r>  ", "1:<l>"}));
}

BOOST_AUTO_TEST_CASE(single_words) {
  const std::vector<added_token> tokens{
      {.content = "solo", .id = 1, .single_word = true}};
  BOOST_TEST((cut(tokens, "solo") == list{"1:solo"}));
  BOOST_TEST((cut(tokens, "-solo!") == list{":-", "1:solo", ":!"}));
  for (const char* text : {"solos", "_solo", "\u00e9solo", "solo\u0301"})
    BOOST_TEST((cut(tokens, text) == list{":" + std::string(text)}));
}

BOOST_AUTO_TEST_CASE(long_contents_are_refused) {
  added_token_matcher matcher;
  BOOST_CHECK_THROW(matcher.add({.content = std::string(1025, 'x')}),
                    model_error);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test

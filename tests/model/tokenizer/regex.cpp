// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/regex.hpp"

#include "model/checkpoint/model_error.hpp"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

std::vector<std::string> stretches(std::string_view pattern,
                                   std::string_view text) {
  std::vector<std::string> found;
  find_regex(pattern)(text, [&](std::string_view stretch, bool match) {
    if (!stretch.empty())
      found.push_back((match ? "+" : "-") + std::string(stretch));
  });
  return found;
}

using list = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_regex)

BOOST_AUTO_TEST_CASE(translation) {
  const std::pair<const char*, const char*> cases[] = {
      {R"(\p{Han}+)", R"(\p{sc:Han}+)"},
      {R"(\p{Lu})", R"(\p{Lu})"},
      {R"([^\r\n\p{^Han}])", R"([^\r\n\p{^sc:Han}])"},
      {R"(\d+)", R"([\p{Nd}]+)"},
      {R"([\d_])", R"([\p{Nd}_])"},
      {R"(\v)", R"(\x{b})"},
      {R"(a(?!b)(?i:c)\.)", R"(a(?!b)(?i:c)\.)"}};
  for (const auto& [pattern, expected] : cases)
    BOOST_TEST(translate_pattern(pattern) == expected);
}

BOOST_AUTO_TEST_CASE(what_the_engines_read_differently_is_refused) {
  for (const char* pattern :
       {R"([a[bc]])", R"([a-z&&[^b]])", R"(\h+)", R"(\R)", R"([\S])", R"(\b)",
        R"((?<name>a))", R"((?m)a)", R"((*UTF)a\K)", R"([]a])", R"(\1)",
        R"(\pL)", "\\"})
    BOOST_CHECK_THROW(find_regex(pattern), model_error);
}

BOOST_AUTO_TEST_CASE(broken_patterns_are_refused) {
  for (const char* pattern : {"(", "[a", "a{2,1}", R"(\p{NoSuchScript})"})
    BOOST_CHECK_THROW(find_regex(pattern), model_error);
  BOOST_CHECK_THROW(find_regex(std::string(20000, 'a')), model_error);
}

BOOST_AUTO_TEST_CASE(white_space_is_the_property) {
  BOOST_TEST((stretches(R"(\s+)", "a\u180e\xc2\x85 b") ==
              list{"-a\u180e", "+\xc2\x85 ", "-b"}));
}

BOOST_AUTO_TEST_CASE(empty_matches_move_on) {
  BOOST_TEST((stretches("a*", "ba\u00e9") == list{"-b", "+a", "-\u00e9"}));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8_do_not_match) {
  BOOST_TEST((stretches(R"([^\s])", "a\xff\xfe"
                                    "b") == list{"+a", "-\xff\xfe", "+b"}));
}

BOOST_AUTO_TEST_CASE(catastrophic_backtracking_is_an_error) {
  const auto finder = find_regex("(?:a|aa)+$");
  const std::string text = std::string(5000, 'a') + "b";
  const auto ignore = [](std::string_view, bool) {};
  try {
    finder(text, ignore);
    BOOST_ERROR("the match was not given up");
  } catch (const model_error& error) {
    BOOST_TEST((error.code() == model_fault::limit));
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test

// SPDX-License-Identifier: Apache-2.0
#include "model/text_stream.hpp"

#include "kernels/check.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "tests/model/tokenizer/fixtures.hpp"
#include "tests/model/tokenizer/sample_text.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

constexpr std::uint32_t bos = 256, eos = 257, first_merged = 258;

using parts = std::vector<std::string>;

/// What a stream emits for each token, then at the end.
struct outcome {
  parts texts;
  std::string text;
  std::optional<stop_reason> reason;
  std::uint32_t index = 0;
  std::uint64_t tokens = 0;
};

outcome run(const tokenizer& source, stop_rules rules,
            const std::vector<std::uint32_t>& tokens) {
  text_stream stream(source, std::move(rules));
  outcome result;
  const auto take = [&](const text_step& step) {
    result.texts.push_back(step.text);
    result.text += step.text;
    result.reason = step.reason;
    result.index = step.stop_index;
    result.tokens = step.released_tokens;
  };
  for (const auto token : tokens) {
    take(stream.push(token));
    if (stream.finished())
      break;
  }
  if (!stream.finished())
    take(stream.flush());
  BOOST_TEST(stream.text_bytes() == result.text.size());
  return result;
}

std::vector<std::uint32_t> bytes_of(std::string_view text) {
  std::vector<std::uint32_t> tokens;
  for (char c : text)
    tokens.push_back(static_cast<unsigned char>(c));
  return tokens;
}

/// The definition of stop strings: the match that ends first, the longest of
/// those.
std::string cut_by_definition(const std::string& text, const parts& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const auto& stop : stops)
      if (text.substr(0, end).ends_with(stop))
        longest = std::max(longest, stop.size());
    if (longest)
      return text.substr(0, end - longest);
  }
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_streams)

BOOST_AUTO_TEST_CASE(characters_leave_whole) {
  const auto source = byte_tokenizer();
  const auto result = run(*source, {}, bytes_of("a\U0001f600\u00e9"));
  BOOST_TEST(
      (result.texts == parts{"a", "", "", "", "\U0001f600", "", "\u00e9", ""}));
  BOOST_TEST(result.tokens == 7u);
}

BOOST_AUTO_TEST_CASE(broken_characters_are_replaced_when_certain) {
  const auto source = byte_tokenizer();
  BOOST_TEST((run(*source, {},
                  bytes_of("\xf0\x9f\x98"
                           "a"))
                  .texts == parts{"", "", "", "\uFFFDa", ""}));
  BOOST_TEST((run(*source, {}, bytes_of("\xff")).texts == parts{"\uFFFD", ""}));
  BOOST_TEST((run(*source, {}, bytes_of("\xe4\xb8")).texts ==
              parts{"", "", "\uFFFD"}));
  // Overlong forms and surrogates have no well-formed prefix.
  BOOST_TEST(run(*source, {}, bytes_of("\xc0\x80")).text == "\uFFFD\uFFFD");
  BOOST_TEST(run(*source, {}, bytes_of("\xed\xa0\x80")).text ==
             "\uFFFD\uFFFD\uFFFD");
}

BOOST_AUTO_TEST_CASE(stop_strings_across_tokens) {
  const auto source = byte_tokenizer({"x<", "END>y", "<E", "<", "N"});
  const auto token = [](int merged) {
    return first_merged + static_cast<std::uint32_t>(merged);
  };
  const auto result =
      run(*source, {.strings = {"<END>"}}, {'a', token(0), token(1)});
  BOOST_TEST((result.texts == parts{"a", "x", ""}));
  BOOST_TEST((result.reason == stop_reason::stop_string));
  BOOST_TEST(result.tokens == 2u); // the second was cut short
  // What might have become a stop string leaves when it cannot any more.
  BOOST_TEST(
      (run(*source, {.strings = {"<END>"}}, {token(2), token(4), '!'}).texts ==
       parts{"", "", "<EN!", ""}));
  BOOST_TEST(
      (run(*source, {.strings = {"<END>"}}, {token(2), token(4)}).texts ==
       parts{"", "", "<EN"}));
}

BOOST_AUTO_TEST_CASE(overlapping_stop_strings) {
  const auto source = byte_tokenizer();
  const auto text = [&](parts stops, std::string_view generated) {
    return run(*source, {.strings = std::move(stops)}, bytes_of(generated))
        .text;
  };
  BOOST_TEST(text({"aab"}, "aaaab") == "aa");
  BOOST_TEST(text({"abc", "b"}, "xabc") == "xa");
  BOOST_TEST(text({"bc", "abc"}, "xabc") == "x");
  BOOST_TEST(text({"\n\n"}, "a\n\n\n") == "a");
  BOOST_TEST(text({"\u00e9"}, "ae\u00e9b") == "ae");
  BOOST_TEST(text({"\uFFFD"}, "a\xff") == "a");
}

BOOST_AUTO_TEST_CASE(random_texts_stop_as_defined_however_they_are_cut) {
  const auto source =
      byte_tokenizer({"ab", "aa", "ba", "aab", "\xe9", "b\xc3"});
  sample_text random(13);
  for (int round = 0; round < 5000; ++round) {
    constexpr std::string_view alphabet[] = {"a", "b", "\u00e9"};
    const auto word = [&](std::uint32_t most) {
      std::string text;
      for (auto left = random.below(most); left > 0; --left)
        text += alphabet[random.below(3)];
      return text;
    };
    const auto text = word(30);
    const parts stops{"a" + word(4), "b" + word(3)};
    const auto cut = cut_by_definition(text, stops);
    const auto whole = source->encode(text);
    for (const auto& tokens : {bytes_of(text), whole}) {
      const auto result = run(*source, {.strings = stops}, tokens);
      BOOST_TEST(result.text == cut);
      BOOST_TEST((result.reason == stop_reason::stop_string) ==
                 (cut.size() < text.size()));
    }
  }
}

BOOST_AUTO_TEST_CASE(stop_tokens) {
  const auto source = byte_tokenizer();
  const auto result = run(*source, {.strings = {"bc"}, .tokens = {'z', eos}},
                          {'a', 'b', eos, 'c'});
  BOOST_TEST((result.texts == parts{"a", "", "b"}));
  BOOST_TEST((result.reason == stop_reason::stop_token));
  BOOST_TEST(result.index == 1u);
  BOOST_TEST(result.tokens == 3u);
}

BOOST_AUTO_TEST_CASE(min_tokens_come_before_any_stop) {
  const auto source = byte_tokenizer();
  const stop_rules rules{.strings = {"ab"}, .tokens = {eos}, .min_tokens = 3};
  const auto result = run(*source, rules, {eos, 'a', 'b', 'a', 'b', 'c'});
  BOOST_TEST(result.text == "ab");
  BOOST_TEST((result.reason == stop_reason::stop_string));
  BOOST_TEST(result.tokens == 3u);
}

BOOST_AUTO_TEST_CASE(control_tokens_add_text_only_if_asked) {
  const auto source = byte_tokenizer();
  BOOST_TEST(run(*source, {}, {'a', bos, 'b'}).text == "ab");
  BOOST_TEST(run(*source, {.skip_special = false}, {'a', bos, 'b'}).text ==
             "a<|bos|>b");
}

BOOST_AUTO_TEST_CASE(tokens_are_released_with_their_text) {
  const auto source = byte_tokenizer();
  text_stream stream(*source, {.strings = {"bcd"}});
  BOOST_TEST(stream.push('a').released_tokens == 1u);
  BOOST_TEST(stream.push('b').released_tokens == 1u);
  BOOST_TEST(stream.push('c').released_tokens == 1u);
  BOOST_TEST(stream.push(0xC3).released_tokens == 1u);
  BOOST_TEST(stream.push(0xA9).released_tokens == 5u);
}

BOOST_AUTO_TEST_CASE(a_copy_goes_on_alone) {
  const auto source = byte_tokenizer();
  text_stream stream(*source, {.strings = {"bc"}});
  stream.push('b');
  auto copy = stream;
  BOOST_TEST((stream.push('c').reason == stop_reason::stop_string));
  BOOST_TEST(copy.push('d').text == "bd");
}

BOOST_AUTO_TEST_CASE(contracts) {
  const auto source = byte_tokenizer();
  BOOST_CHECK_THROW(text_stream(*source, {.strings = {""}}),
                    contract_violation);
  text_stream stream(*source, {.tokens = {eos}});
  stream.push(eos);
  BOOST_TEST(stream.finished());
  BOOST_CHECK_THROW(stream.push('a'), contract_violation);
  BOOST_CHECK_THROW(stream.flush(), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test

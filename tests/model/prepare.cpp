// SPDX-License-Identifier: Apache-2.0
#include "model/prepare.hpp"

#include "messages/frame.hpp"
#include "model/tokenizer/load.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>

namespace sluice::test {

namespace {

using messages::ErrorCode;
using messages::SubmitT;

/// The tokenizer of pebble: BOS first, then a token a digit.
lane_profile profile() {
  return {.model = "pebble",
          .context = 12,
          .vocab = 768,
          .eos = {1},
          .text = load_tokenizer(std::filesystem::path{SLUICE_SOURCE_DIR} /
                                 "tests/models/pebble"),
          .max_prompt_logprobs = 30};
}

messages::PreparedT prepared(const std::function<void(SubmitT&)>& change) {
  SubmitT submit;
  submit.id = std::make_unique<messages::RequestId>(1, 2);
  submit.prompt = "12345";
  change(submit);
  const auto frame = messages::pack<messages::Submit>(submit);
  return prepare(1, *frame, {profile()}, [] { return 7u; });
}

} // namespace

BOOST_AUTO_TEST_SUITE(prepare_suite)

BOOST_AUTO_TEST_CASE(what_is_scored) {
  struct row {
    std::function<void(SubmitT&)> change;
    std::uint32_t tokens, from, top;
    bool only, publish;
  };
  const row table[] = {
      {[](auto&) {}, 6, 0, 0, false, false},
      {[](auto& s) { s.score = true; }, 6, 1, 0, true, false},
      {[](auto& s) { s.prompt_logprobs = true, s.prompt_top_logprobs = 3; }, 6,
       1, 3, false, true},
      {[](auto& s) { s.score = true, s.score_from = 4; }, 6, 4, 0, true, false},
      {[](auto& s) { s.score = true, s.continuation = "678"; }, 9, 6, 0, true,
       false},
      // As harnesses split: the space before belongs to the continuation.
      {[](auto& s) { s.prompt += ' ', s.score = true, s.continuation = "678"; },
       10, 6, 0, true, false},
      {[](auto& s) { s.prompt = " ", s.score = true, s.continuation = "6"; }, 3,
       1, 0, true, false},
  };
  for (const auto& [change, tokens, from, top, only, publish] : table) {
    const auto result = prepared(change);
    BOOST_TEST((result.code == ErrorCode::none), result.text);
    BOOST_TEST(result.work->prompt.size() == tokens);
    BOOST_TEST(result.work->score_from == from);
    BOOST_TEST(result.work->prompt_top_logprobs == top);
    BOOST_TEST(result.work->score_only == only);
    BOOST_TEST(result.work->publish_scores == publish);
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_scored) {
  struct row {
    std::function<void(SubmitT&)> change;
    ErrorCode code;
    const char* part;
  };
  const row table[] = {
      {[](auto& s) { s.prompt.clear(), s.prompt_tokens = {5}, s.score = true; },
       ErrorCode::invalid_argument, "nothing can be scored"},
      {[](auto& s) { s.score = true, s.score_from = 6; },
       ErrorCode::invalid_argument, "give a longer text"},
      {[](auto& s) { s.prompt = "123456789012", s.score = true; },
       ErrorCode::prompt_too_long, "--stride"},
      {[](auto& s) { s.prompt_logprobs = true, s.prompt_top_logprobs = 6; },
       ErrorCode::invalid_argument, "limits.prompt_logprobs"},
  };
  for (const auto& [change, code, part] : table) {
    const auto result = prepared(change);
    BOOST_TEST((result.code == code), result.text);
    BOOST_TEST(result.text.find(part) != std::string::npos, result.text);
  }
}

BOOST_AUTO_TEST_CASE(a_score_may_fill_the_context_and_an_answer_may_not) {
  const auto fill = [](SubmitT& s) { s.prompt = "12345678901"; };
  BOOST_TEST((prepared(fill).code == ErrorCode::prompt_too_long));
  const auto scored = prepared([&](SubmitT& s) { fill(s), s.score = true; });
  BOOST_TEST((scored.code == ErrorCode::none));
  BOOST_TEST(scored.work->prompt.size() == 12u);
}

BOOST_AUTO_TEST_CASE(echoes_are_the_text_or_the_tokens_text) {
  BOOST_TEST(prepared([](auto&) {}).work->echo == "");
  BOOST_TEST(prepared([](auto& s) { s.echo = true; }).work->echo == "12345");
  const auto tokens = prepared([](auto&) {}).work->prompt;
  const auto given = prepared([&](auto& s) {
    s.prompt.clear(), s.prompt_tokens = tokens, s.echo = true;
  });
  BOOST_TEST(given.work->echo == "12345");
}

BOOST_AUTO_TEST_CASE(choices_among_answers) {
  const auto plain = prepared([](auto&) {});
  BOOST_TEST(plain.work->best_of == 0u);
  BOOST_TEST(!plain.work->beam);
  const auto best = prepared([](auto& s) { s.n = 2, s.best_of = 3; });
  BOOST_TEST((best.code == ErrorCode::none));
  BOOST_TEST(best.work->best_of == 3u);
  const auto beams = prepared([](auto& s) {
    s.beam = std::make_unique<messages::BeamSearchT>();
    s.beam->width = 4;
  });
  BOOST_TEST((beams.code == ErrorCode::none));
  BOOST_REQUIRE(beams.work->beam);
  BOOST_TEST(beams.work->beam->width == 4u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test

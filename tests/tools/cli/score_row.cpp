// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/score_row.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace sluice;
using namespace sluice::cli;

namespace {

score_row parse(std::string text, const score_fields& fields = {}) {
  return parse_score_row({1, std::move(text), false}, fields);
}

score_piece piece_in(const score_row& row) {
  const auto* failure = std::get_if<client::failure>(&row.piece);
  BOOST_REQUIRE_MESSAGE(!failure, (failure ? failure->text : ""));
  return std::get<score_piece>(row.piece);
}

std::string error_of(const score_row& row) {
  const auto* failure = std::get_if<client::failure>(&row.piece);
  return failure ? failure->text : "";
}

} // namespace

BOOST_AUTO_TEST_SUITE(cli_score_row)

BOOST_AUTO_TEST_CASE(rows_are_objects_or_lines_of_text) {
  const auto text = parse(R"({"custom_id":"a","text":"héllo","more":1})");
  BOOST_TEST(text.custom_id == "a");
  BOOST_TEST(piece_in(text).text == "héllo");
  BOOST_TEST(piece_in(text).continuation == "");
  const auto split = piece_in(parse(R"({"prompt":"ab","continuation":"c"})"));
  BOOST_TEST(split.text == "ab");
  BOOST_TEST(split.continuation == "c");
  BOOST_TEST(piece_in(parse("a line")).text == "a line");
  BOOST_TEST(piece_in(parse("{a line", {.plain = true})).text == "{a line");
  const auto whole = piece_in(parse(R"({"prompt":"","continuation":"c"})"));
  BOOST_TEST(whole.text == "c");
  BOOST_TEST(whole.continuation == "");
}

BOOST_AUTO_TEST_CASE(keys_can_be_named) {
  const score_fields fields{.text = "body", .continuation = "answer"};
  BOOST_TEST(piece_in(parse(R"({"body":"b","text":1})", fields)).text == "b");
  const auto split = piece_in(parse(R"({"prompt":"p","answer":"a"})", fields));
  BOOST_TEST(split.continuation == "a");
}

BOOST_AUTO_TEST_CASE(bad_rows_say_what_is_wrong) {
  const std::pair<const char*, const char*> table[] = {
      {"{", "--plain"},
      {R"({"a":1})", "needs either \"text\" or both"},
      {R"({"text":"a","prompt":"b","continuation":"c"})", "needs either"},
      {R"({"prompt":"b"})", "\"continuation\""},
      {R"({"text":1})", "\"text\" must be a string"},
      {R"({"text":""})", "empty"},
      {R"({"prompt":"a","continuation":""})", "\"continuation\" is empty"},
      {R"({"custom_id":[],"text":"a"})", "custom_id"},
  };
  for (const auto& [line, part] : table)
    BOOST_TEST(error_of(parse(line)).find(part) != std::string::npos, line);
  const auto long_row = parse_score_row({1, "", true}, {});
  BOOST_TEST(error_of(long_row).find("--max-line") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(results_are_json_rows) {
  scored_text row{.custom_id = "a",
                  .line = 3,
                  .sum = {.tokens = 2, .likeliest = 1, .log_likelihood = -1},
                  .prompt_tokens = 3,
                  .requests = 1,
                  .scores = {},
                  .error = {}};
  row.scores.first = 1;
  row.scores.tokens = {5, 6};
  row.scores.logprobs = {-0.25f, -0.75f};
  row.scores.ranks = {1, 2};
  row.scores.pieces = {'h', 'i', '!'};
  row.scores.piece_ends = {2, 3};
  const auto out = json::parse(to_json_line(row, true));
  BOOST_TEST(out["custom_id"] == "a");
  BOOST_TEST(out["tokens"] == 2);
  BOOST_TEST(std::abs(out["perplexity"].get<double>() - std::exp(0.5)) < 1e-12);
  BOOST_TEST(out["greedy"] == false);
  BOOST_TEST(out["per_token"][0]["text"] == "hi");
  BOOST_TEST(out["per_token"][1]["logprob"] == -0.75);
  BOOST_TEST(out["per_token"][1]["rank"] == 2);
  BOOST_TEST(out["error"].is_null());
  BOOST_TEST(!json::parse(to_json_line(row, false)).contains("per_token"));
  BOOST_TEST(to_text(row, true) ==
             "a: 2 tokens, log-likelihood -1.000000, perplexity 1.648721\n"
             "   -0.250000  rank 1      \"hi\"\n"
             "   -0.750000  rank 2      \"!\"\n");
  row.error = client::failure{messages::ErrorCode::prompt_too_long, "long"};
  const auto failed = json::parse(to_json_line(row, true));
  BOOST_TEST(failed["tokens"].is_null());
  BOOST_TEST(failed["error"]["code"] == "prompt_too_long");
}

BOOST_AUTO_TEST_CASE(sums_add_up) {
  score_sum sum{.tokens = 1, .likeliest = 1, .log_likelihood = -1};
  sum.add({.tokens = 3, .likeliest = 0, .log_likelihood = -3});
  BOOST_TEST(sum.tokens == 4u);
  BOOST_TEST(std::abs(sum.perplexity() - std::exp(1)) < 1e-12);
  BOOST_TEST(std::isnan(score_sum{}.perplexity())); // of nothing
}

BOOST_AUTO_TEST_SUITE_END()

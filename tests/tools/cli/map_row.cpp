// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/map_row.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::cli;

namespace {

map_row parse(std::string text) {
  return parse_row({1, std::move(text), false}, request_flags{});
}

const messages::SubmitT& request_of(const map_row& row) {
  const auto* failure = std::get_if<client::failure>(&row.request);
  BOOST_REQUIRE_MESSAGE(!failure, (failure ? failure->text : ""));
  return std::get<messages::SubmitT>(row.request);
}

std::string error_of(const map_row& row) {
  const auto* failure = std::get_if<client::failure>(&row.request);
  return failure ? failure->text : "";
}

} // namespace

BOOST_AUTO_TEST_SUITE(cli_map_row)

BOOST_AUTO_TEST_CASE(prompts_are_text_tokens_or_messages) {
  const auto text = parse(R"({"custom_id":"a","prompt":"héllo"})");
  BOOST_TEST(request_of(text).prompt == "héllo");
  BOOST_TEST(text.custom_id == "a");
  const auto tokens = parse(R"({"prompt":[1,2,4294967295]})");
  BOOST_TEST(request_of(tokens).prompt_tokens.size() == 3u);
  BOOST_TEST(tokens.custom_id.is_null());
  const auto chat = parse(R"({"custom_id":7,"messages":[
      {"role":"system","content":"s"},{"role":"user","content":"u"}]})");
  BOOST_REQUIRE(request_of(chat).messages.size() == 2u);
  BOOST_TEST((request_of(chat).messages[1]->role == messages::Role::user));
  BOOST_TEST(chat.custom_id == 7);
}

BOOST_AUTO_TEST_CASE(params_win_over_flags) {
  request_flags flags;
  flags.sampling.temperature = 0.5F;
  flags.sampling.top_k = 7;
  flags.stopping.max_tokens = 10;
  const auto row =
      parse_row({1, R"({"prompt":"x","params":{"temperature":0,"max_tokens":99,
              "stop":["a","b"],"seed":18446744073709551615,"n":2,
              "logit_bias":{"5":-1.5},"ignore_eos":true,"priority":-3}})",
                 false},
                flags);
  const auto& submit = request_of(row);
  BOOST_TEST(submit.sampling->temperature == 0);
  BOOST_TEST(submit.sampling->top_k == 7u);
  BOOST_TEST(submit.stopping->max_tokens == 99u);
  BOOST_TEST(submit.stopping->stop.size() == 2u);
  BOOST_TEST(submit.stopping->ignore_eos);
  BOOST_TEST(*submit.sampling->seed == 18446744073709551615ull);
  BOOST_TEST(submit.n == 2u);
  BOOST_TEST(submit.priority == -3);
  BOOST_REQUIRE(submit.sampling->logit_bias.size() == 1u);
  BOOST_TEST(submit.sampling->logit_bias[0].token() == 5u);
  BOOST_TEST(submit.sampling->logit_bias[0].bias() == -1.5F);
}

BOOST_AUTO_TEST_CASE(other_keys_are_the_users) {
  BOOST_TEST(request_of(parse(R"({"prompt":"x","answer":{"y":[1]}})")).prompt ==
             "x");
}

BOOST_AUTO_TEST_CASE(bad_rows_say_what_is_wrong) {
  const std::pair<const char*, const char*> rows[] = {
      {"{", "not JSON"},
      {"", "not JSON"},
      {"[1]", "not a JSON object"},
      {"\"prompt\"", "not a JSON object"},
      {"{\"prompt\":\"\xff\"}", "not JSON in UTF-8"},
      {"{\"prompt\":\"\\ud800\"}", "not JSON in UTF-8"},
      {"{\"prompt\":\"a\"} {}", "not JSON"},
      {"{}", "either \"prompt\" or \"messages\""},
      {R"({"prompt":"a","messages":[]})", "either \"prompt\""},
      {R"({"prompt":5})", "must be a string or token ids"},
      {R"({"prompt":[]})", "must be a string or token ids"},
      {R"({"prompt":[1,-1]})", "must be a string or token ids"},
      {R"({"prompt":[4294967296]})", "must be a string or token ids"},
      {R"({"messages":[]})", "\"messages\" must be a list"},
      {R"({"messages":[{"role":"user"}]})", "needs \"role\" and \"content\""},
      {R"({"messages":[{"role":"me","content":""}]})", "\"role\" must be"},
      {R"({"custom_id":[],"prompt":"a"})", "\"custom_id\" must be"},
      {R"({"prompt":"a","params":[]})", "\"params\" must be an object"},
      {R"({"prompt":"a","params":{"temprature":1}})",
       "params.temprature is unknown"},
      {R"({"prompt":"a","params":{"temperature":"1"}})",
       "params.temperature must be a number"},
      {R"({"prompt":"a","params":{"max_tokens":-1}})",
       "params.max_tokens must be a whole number"},
      {R"({"prompt":"a","params":{"max_tokens":1.5}})",
       "params.max_tokens must be a whole number"},
      {R"({"prompt":"a","params":{"max_tokens":4294967296}})",
       "params.max_tokens must be a whole number"},
      {R"({"prompt":"a","params":{"priority":-2147483649}})",
       "params.priority must be a whole number"},
      {R"({"prompt":"a","params":{"stop":[1]}})",
       "params.stop must be a string"},
      {R"({"prompt":"a","params":{"logit_bias":{"x":1}}})",
       "params.logit_bias must be an object"},
      {R"({"prompt":"a","params":{"ignore_eos":1}})",
       "params.ignore_eos must be true or false"},
  };
  for (const auto& [text, expected] : rows) {
    const auto error = error_of(parse(text));
    BOOST_TEST(error.find(expected) != std::string::npos,
               text << " -> " << error);
  }
}

BOOST_AUTO_TEST_CASE(a_bad_row_keeps_its_custom_id) {
  BOOST_TEST(parse(R"({"custom_id":"a1"})").custom_id == "a1");
  BOOST_TEST(error_of(parse_row({3, "", true}, request_flags{})) != "");
}

BOOST_AUTO_TEST_CASE(nesting_does_not_exhaust_the_stack) {
  BOOST_TEST(error_of(parse(std::string(1'000'000, '['))) != "");
}

BOOST_AUTO_TEST_CASE(results_are_one_line_of_json) {
  messages::DeltaT delta;
  delta.text = "two\nlines \"quoted\"";
  messages::ChunkT chunk;
  chunk.id = std::make_unique<messages::RequestId>(1, 2);
  chunk.body.Set(std::move(delta));
  client::completion text;
  text.take(*messages::pack<messages::Chunk>(chunk));
  client::finished end{messages::FinishReason::length, {}};
  end.receipt.generated_tokens = 5;
  const auto line = format_result("a", 3, text, end);
  BOOST_TEST(line.find('\n') == std::string::npos);
  const auto row = json::parse(line);
  BOOST_TEST(row["custom_id"] == "a");
  BOOST_TEST(row["line"] == 3);
  BOOST_TEST(row["text"] == "two\nlines \"quoted\"");
  BOOST_TEST(row["usage"]["generated_tokens"] == 5);
  BOOST_TEST(row["error"].is_null());
  const auto failed = json::parse(format_failure(
      nullptr, 4, {messages::ErrorCode::prompt_too_long, "too long", {}}));
  BOOST_TEST(failed["custom_id"].is_null());
  BOOST_TEST(failed["line"] == 4);
  BOOST_TEST(failed["error"]["code"] == "prompt_too_long");
  BOOST_TEST(failed["text"].is_null());
}

BOOST_AUTO_TEST_SUITE_END()

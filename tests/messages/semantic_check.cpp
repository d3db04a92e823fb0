// SPDX-License-Identifier: Apache-2.0
#include "messages/semantic_check.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>

#include "messages/frame.hpp"

namespace sluice::messages {
namespace {

SubmitT good_submit() {
  SubmitT submit;
  submit.id = std::make_unique<RequestId>(1, 2);
  submit.prompt = "prompt";
  submit.sampling = std::make_unique<SamplingT>();
  submit.stopping = std::make_unique<StopRulesT>();
  return submit;
}

HelloT good_hello() {
  HelloT hello;
  hello.protocol = hello.oldest_protocol = 1;
  return hello;
}

template <class T>
std::string refusal_of(const typename T::NativeTableType& message,
                       const frame_limits& limits = {}) {
  const auto result = parse_frame<T>(pack<T>(message).bytes(), limits);
  return result.index() ? std::get<refusal>(result).text : "";
}

struct submit_case {
  std::function<void(SubmitT&)> change;
  const char* refusal; // "" is taken
};

void add_beams(SubmitT& submit, std::uint32_t width) {
  submit.beam = std::make_unique<BeamSearchT>();
  submit.beam->width = width;
}

void add_stop(SubmitT& submit, std::size_t count, const char* text) {
  submit.stopping->stop.assign(count, text);
}

const submit_case submit_cases[] = {
    {[](SubmitT&) {}, ""},
    {[](SubmitT& s) { s.sampling.reset(), s.stopping.reset(); }, ""},
    {[](SubmitT& s) { s.prompt.clear(); },
     "prompt, prompt_tokens and messages are all empty; set exactly one"},
    {[](SubmitT& s) { s.prompt_tokens = {1}; },
     "more than one of prompt, prompt_tokens and messages is set; set exactly "
     "one"},
    {[](SubmitT& s) { s.prompt.clear(), s.prompt_tokens = {1}; }, ""},
    {[](SubmitT& s) { s.prompt.assign(101, 'x'); },
     "prompt has 101 bytes; allowed: at most 100"},
    {[](SubmitT& s) { s.prompt.clear(), s.prompt_tokens.resize(51); },
     "prompt_tokens has 51 elements; allowed: at most 50"},
    {[](SubmitT& s) { s.tenant.assign(129, 'x'); },
     "tenant has 129 bytes; allowed: at most 128"},
    {[](SubmitT& s) { s.model = "a\nb"; },
     "model is a name with control characters; allowed: printable characters"},
    {[](SubmitT& s) { s.sampling->temperature = 0; }, ""},
    {[](SubmitT& s) { s.sampling->temperature = -0.5f; },
     "sampling.temperature is -0.5; allowed: 0 to 100"},
    {[](SubmitT& s) { s.sampling->temperature = 101; },
     "sampling.temperature is 101; allowed: 0 to 100"},
    {[](SubmitT& s) { s.sampling->top_p = 0; },
     "sampling.top_p is 0; allowed: above 0, at most 1"},
    {[](SubmitT& s) { s.sampling->top_p = 1.5f; },
     "sampling.top_p is 1.5; allowed: above 0, at most 1"},
    {[](SubmitT& s) { s.sampling->min_p = 1; }, ""},
    {[](SubmitT& s) { s.sampling->min_p = 1.25f; },
     "sampling.min_p is 1.25; allowed: 0 to 1"},
    {[](SubmitT& s) { s.sampling->repetition_penalty = 0; },
     "sampling.repetition_penalty is 0; allowed: above 0, at most 100"},
    {[](SubmitT& s) { s.sampling->frequency_penalty = -101; },
     "sampling.frequency_penalty is -101; allowed: -100 to 100"},
    {[](SubmitT& s) { s.sampling->presence_penalty = 101; },
     "sampling.presence_penalty is 101; allowed: -100 to 100"},
    {[](SubmitT& s) { s.sampling->logprobs = 20; }, ""},
    {[](SubmitT& s) { s.sampling->logprobs = 21; },
     "sampling.logprobs is 21; allowed: 0 to 20"},
    {[](SubmitT& s) { s.sampling->logit_bias.resize(1025); },
     "sampling.logit_bias has 1025 elements; allowed: at most 1024"},
    {[](SubmitT& s) { add_stop(s, 16, "x"); }, ""},
    {[](SubmitT& s) { add_stop(s, 17, "x"); },
     "stopping.stop has 17 elements; allowed: at most 16"},
    {[](SubmitT& s) { add_stop(s, 1, ""); },
     "bytes of a stopping.stop string is 0; allowed: 1 to 256"},
    {[](SubmitT& s) { s.stopping->stop_tokens.resize(65); },
     "stopping.stop_tokens has 65 elements; allowed: at most 64"},
    {[](SubmitT& s) { s.stopping->min_tokens = 9; }, ""},
    {[](SubmitT& s) { s.stopping->min_tokens = 9, s.stopping->max_tokens = 8; },
     "stopping.min_tokens is 9; allowed: 0 to 8"},
    {[](SubmitT& s) { s.n = 0; }, "n is 0; allowed: 1 to 16"},
    {[](SubmitT& s) { s.n = 17; }, "n is 17; allowed: 1 to 16"},
    {[](SubmitT& s) { s.n = 3, s.best_of = 2; },
     "best_of is below n; set it to 0 or to n or more"},
    {[](SubmitT& s) { s.n = 2, s.best_of = 5; }, ""},
    {[](SubmitT& s) { s.best_of = 17; }, "best_of is 17; allowed: 0 to 16"},
    {[](SubmitT& s) { s.best_of = 2, s.sampling->temperature = 0; },
     "best_of is above n at temperature 0, where all candidates are alike; "
     "raise temperature or leave best_of out"},
    {[](SubmitT& s) { s.n = s.best_of = 2, s.sampling->temperature = 0; }, ""},
    {[](SubmitT& s) { add_beams(s, 0); }, ""},
    {[](SubmitT& s) { add_beams(s, 4), s.n = 4; }, ""},
    {[](SubmitT& s) { add_beams(s, 4), s.sampling->temperature = 0; }, ""},
    {[](SubmitT& s) { add_beams(s, 17); },
     "beam.width is 17; allowed: 1 to 16"},
    {[](SubmitT& s) { add_beams(s, 2), s.beam->length_penalty = 11; },
     "beam.length_penalty is 11; allowed: -10 to 10"},
    {[](SubmitT& s) { add_beams(s, 2), s.n = 3; },
     "n is above beam.width, and there are as many answers as beams at most; "
     "lower n or raise beam.width"},
    {[](SubmitT& s) { add_beams(s, 2), s.best_of = 2; },
     "beam and best_of are both set; set one of them"},
    {[](SubmitT& s) { add_beams(s, 2), s.score = true; },
     "beam is set and score generates nothing; leave it out"},
    {[](SubmitT& s) { add_beams(s, 2), s.sampling->top_k = 5; },
     "beam is set and beams draw nothing from a changed distribution; leave "
     "temperature, top_k, top_p, min_p, penalties and logit_bias at their "
     "defaults"},
    {[](SubmitT& s) { s.score = true; }, ""},
    {[](SubmitT& s) { s.score = true, s.n = 2; },
     "n or best_of is above 1 and score generates nothing; leave them out"},
    {[](SubmitT& s) { s.score = true, s.continuation = "more"; }, ""},
    {[](SubmitT& s) { s.score = true, s.continuation.assign(94, 'x'); }, ""},
    {[](SubmitT& s) { s.score = true, s.continuation.assign(95, 'x'); },
     "continuation has 95 bytes; allowed: at most 94"},
    {[](SubmitT& s) { s.continuation = "more"; },
     "continuation is set without score or without prompt; set both"},
    {[](SubmitT& s) {
       s.prompt.clear(), s.prompt_tokens = {1}, s.score = true;
       s.continuation = "more";
     },
     "continuation is set without score or without prompt; set both"},
    {[](SubmitT& s) {
       s.score = true, s.continuation = "more", s.score_from = 1;
     },
     "continuation and score_from are both set; set one of them"},
    {[](SubmitT& s) { s.score_from = 1; },
     "score_from is set and nothing is scored; set score or prompt_logprobs"},
    {[](SubmitT& s) { s.score = true, s.score_from = 51; },
     "score_from is 51; allowed: 0 to 50"},
    {[](SubmitT& s) { s.prompt_logprobs = true, s.prompt_top_logprobs = 20; },
     ""},
    {[](SubmitT& s) { s.prompt_logprobs = true, s.prompt_top_logprobs = 21; },
     "prompt_top_logprobs is 21; allowed: 0 to 20"},
    {[](SubmitT& s) { s.prompt_top_logprobs = 2; },
     "prompt_top_logprobs is set without prompt_logprobs; set both"},
    {[](SubmitT& s) { s.priority = -101; },
     "priority is -101; allowed: -100 to 100"},
    {[](SubmitT& s) { s.deadline_ms = 604'800'001; },
     "deadline_ms is 604800001; allowed: 0 to 604800000"},
    {[](SubmitT& s) { s.keep_for_ms = 86'400'001; },
     "keep_for_ms is 86400001; allowed: 0 to 86400000"},
};

} // namespace

BOOST_AUTO_TEST_SUITE(semantic_check_suite)

BOOST_AUTO_TEST_CASE(submit_ranges) {
  const frame_limits limits{.max_prompt_bytes = 100, .max_prompt_tokens = 50};
  for (const auto& row : submit_cases) {
    auto submit = good_submit();
    row.change(submit);
    BOOST_TEST(refusal_of<Submit>(submit, limits) == row.refusal);
  }
}

BOOST_AUTO_TEST_CASE(chats_are_as_long_as_prompts) {
  auto submit = good_submit();
  submit.prompt.clear();
  for (int i = 0; i < 3; ++i) {
    submit.messages.push_back(std::make_unique<ChatMessageT>());
    submit.messages.back()->content.assign(40, 'x');
  }
  const auto refusal = [&](frame_limits limits) {
    return refusal_of<Submit>(submit, limits);
  };
  BOOST_TEST(refusal({}) == "");
  BOOST_TEST(refusal({.max_prompt_bytes = 100}) ==
             "bytes of messages is 120; allowed: 0 to 100");
  BOOST_TEST(refusal({.max_messages = 2}) ==
             "messages has 3 elements; allowed: at most 2");
}

BOOST_AUTO_TEST_CASE(not_a_number_is_in_no_range) {
  auto submit = good_submit();
  submit.sampling->temperature = std::nanf("");
  BOOST_TEST(refusal_of<Submit>(submit).find("sampling.temperature is") == 0u);
}

BOOST_AUTO_TEST_CASE(hello_ranges) {
  auto hello = good_hello();
  BOOST_TEST(refusal_of<Hello>(hello) == "");
  hello.oldest_protocol = 2;
  BOOST_TEST(refusal_of<Hello>(hello) ==
             "oldest_protocol is 2; allowed: 1 to 1");
  hello.protocol = hello.oldest_protocol = 0;
  BOOST_TEST(refusal_of<Hello>(hello) ==
             "protocol is 0; allowed: 1 to 4294967295");
  hello = good_hello();
  hello.lease_ms = 3'600'001;
  BOOST_TEST(refusal_of<Hello>(hello) ==
             "lease_ms is 3600001; allowed: 0 to 3600000");
  hello = good_hello();
  hello.models.assign(257, "m");
  BOOST_TEST(refusal_of<Hello>(hello) ==
             "models has 257 elements; allowed: at most 256");
}

BOOST_AUTO_TEST_CASE(small_messages_have_ranges_too) {
  CancelT cancel;
  cancel.id = std::make_unique<RequestId>(1, 2);
  cancel.tenant.assign(129, 't');
  BOOST_TEST(refusal_of<Cancel>(cancel) != "");
  ReplayT replay;
  replay.id = std::make_unique<RequestId>(1, 2);
  replay.tenant = "t\x7F";
  BOOST_TEST(refusal_of<Replay>(replay) != "");
  LeaseT lease;
  lease.lease_ms = 3'600'001;
  BOOST_TEST(refusal_of<Lease>(lease) != "");
  QueryT query;
  query.kind = static_cast<QueryKind>(3);
  BOOST_TEST(refusal_of<Query>(query) != "");
}

BOOST_AUTO_TEST_CASE(a_request_needs_an_id) {
  flatbuffers::FlatBufferBuilder builder;
  const auto prompt = builder.CreateString("prompt");
  const auto start = builder.StartTable();
  builder.AddOffset(Submit::VT_PROMPT, prompt);
  builder.Finish(flatbuffers::Offset<Submit>{builder.EndTable(start)}, "SUB1");
  const auto frame = messages::frame<Submit>::adopt(builder.Release());
  const auto result = parse_frame<Submit>(frame.bytes(), {});
  BOOST_REQUIRE_EQUAL(result.index(), 1u);
  BOOST_TEST((std::get<1>(result).code == ErrorCode::malformed_frame));
}

BOOST_AUTO_TEST_CASE(envelopes_are_printable) {
  const std::byte bytes[16] = {};
  const auto problem = check_envelope(bytes, "SUB1", {});
  BOOST_TEST(problem.value_or("") ==
             "the frame's identifier is ????; expected: SUB1");
  BOOST_TEST(check_envelope({bytes, 15}, "SUB1", {}).value_or("") ==
             "the frame has 15 bytes; the smallest has 16");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::messages

// SPDX-License-Identifier: Apache-2.0
#include "tools/client/completion.hpp"

#include <boost/test/unit_test.hpp>

#include "messages/frame.hpp"

using namespace sluice;
using client::completion;

namespace {

template <class Body>
void give(completion& to, Body body) {
  messages::ChunkT chunk;
  chunk.id = std::make_unique<messages::RequestId>(1, 2);
  chunk.body.Set(std::move(body));
  to.take(*messages::pack<messages::Chunk>(chunk));
}

void give_text(completion& to, std::uint32_t sequence, const char* text,
               std::vector<std::uint32_t> tokens) {
  messages::DeltaT delta;
  delta.sequence = sequence;
  delta.text = text;
  delta.tokens = std::move(tokens);
  give(to, std::move(delta));
}

} // namespace

BOOST_AUTO_TEST_SUITE(client_completion)

BOOST_AUTO_TEST_CASE(sequences_add_up_apart) {
  completion text;
  give_text(text, 0, "ab", {1});
  give_text(text, 1, "xy", {2, 3});
  give_text(text, 0, "c", {4});
  BOOST_TEST(text.sequences().at(0).text == "abc");
  BOOST_TEST(text.sequences().at(1).text == "xy");
  BOOST_TEST(text.sequences().at(0).tokens.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_retraction_withdraws_text_and_tokens) {
  completion text;
  give_text(text, 0, "abcdef", {1, 2, 3});
  messages::RetractT retract;
  retract.from_byte = 4;
  retract.from_token = 2;
  give(text, retract);
  BOOST_TEST(text.sequences().at(0).text == "abcd");
  BOOST_TEST(text.sequences().at(0).tokens.size() == 2u);
  retract.from_byte = 400; // beyond what is there: nothing to withdraw
  retract.from_token = 400;
  give(text, retract);
  BOOST_TEST(text.sequences().at(0).text == "abcd");
}

BOOST_AUTO_TEST_CASE(ends_have_reasons) {
  completion text;
  messages::SequenceEndT end;
  end.reason = messages::FinishReason::stop_string;
  end.stop = "\n";
  give(text, end);
  BOOST_TEST(
      (text.sequences().at(0).reason == messages::FinishReason::stop_string));
  BOOST_TEST(text.sequences().at(0).stop == "\n");
}

BOOST_AUTO_TEST_CASE(scores_of_a_prompt_join) {
  messages::TokenScoresT all;
  messages::TokenScoresT more;
  more.first = 1;
  more.tokens = {7, 8};
  more.logprobs = {-1, -2};
  more.ranks = {1, 3};
  more.top_count = 1;
  more.top_tokens = {7, 9};
  more.top_logprobs = {-1, -0.5f};
  more.pieces = {'a', 'b', 'c'};
  more.piece_ends = {2, 3};
  client::append(all, more);
  more.first = 3;
  client::append(all, more);
  BOOST_TEST(all.first == 1u);
  BOOST_TEST(all.tokens.size() == 4u);
  BOOST_TEST(all.top_tokens.size() == 4u);
  const std::vector<std::uint32_t> ends{2, 3, 5, 6};
  BOOST_TEST(all.piece_ends == ends, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

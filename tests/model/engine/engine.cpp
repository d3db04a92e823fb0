// SPDX-License-Identifier: Apache-2.0
// What the engine does with good plans; bad ones: bad_plans.cpp.
#include "model/engine.hpp"

#include "kernels/check.hpp"
#include "tests/model/engine/engine_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace sluice;
using namespace sluice::test;
using messages::ErrorCode;

BOOST_FIXTURE_TEST_SUITE(engine_test, engine_fixture)

BOOST_AUTO_TEST_CASE(facts_describe_the_lane) {
  const auto facts = device.facts(0);
  BOOST_TEST(facts.model == "tiny");
  BOOST_TEST(facts.context == 128u);
  BOOST_TEST(facts.vocab == 100u);
  BOOST_TEST(facts.page_tokens == 16u);
  BOOST_TEST(facts.kv_bytes == 2u * 2 * 32 * 16 * 2 * 16 * 2);
  BOOST_TEST(facts.isa == "portable");
  BOOST_CHECK_THROW(device.facts(1), contract_violation);
}

BOOST_AUTO_TEST_CASE(rows_may_name_the_token_of_an_earlier_row) {
  const auto first = begin(1); // row 0 of plan 1
  driver->add_sampled(1, 3, 1, 0);
  const auto chained = driver->run().rows.at(0)->tokens.at(0);
  driver->add_sampled(1, 4, 2, 0);
  const auto third = driver->run().rows.at(0)->tokens.at(0);

  engine_fixture other;
  other.begin(1);
  other.driver->add({1, 3, {first}, 0});
  BOOST_TEST(other.driver->run().rows.at(0)->tokens.at(0) == chained);
  other.driver->add({1, 4, {chained}, 0});
  BOOST_TEST(other.driver->run().rows.at(0)->tokens.at(0) == third);
}

BOOST_AUTO_TEST_CASE(a_prompt_chunk_samples_nothing) {
  join(1);
  driver->add({1, 0, {1, 2}, 2});
  const auto result = driver->run();
  BOOST_TEST((result.rows.at(0)->code == ErrorCode::none));
  BOOST_TEST(result.rows[0]->tokens.empty());
}

BOOST_AUTO_TEST_CASE(logprobs_come_as_they_were_asked_for) {
  auto sampling = greedy();
  sampling.logprobs = 3;
  join(1, sampling);
  driver->add({1, 0, {1, 2, 3}, 1});
  const auto result = driver->run();
  const auto& row = *result.rows.at(0);
  BOOST_REQUIRE(row.logprobs.size() == 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& logprob = *row.logprobs[i];
    BOOST_TEST(logprob.token == row.tokens[i]);
    BOOST_TEST(logprob.logprob == 0);
    BOOST_REQUIRE(logprob.top.size() == 3u);
    BOOST_TEST(logprob.top[0]->token == logprob.token);
    BOOST_TEST(logprob.top[0]->logprob == logprob.raw_logprob);
    BOOST_TEST(logprob.top[1]->logprob <= logprob.top[0]->logprob);
  }
}

BOOST_AUTO_TEST_CASE(the_key_makes_the_noise) {
  const auto draw = [](std::uint64_t key, std::uint64_t seed,
                       std::uint32_t index) {
    engine_fixture f;
    messages::SamplingT sampling;
    sampling.temperature = 3;
    return run_alone(*f.driver, {key, {1, 2, 3}, sampling, seed, index}, 20)
        .tokens;
  };
  BOOST_TEST(draw(1, 5, 0) == draw(2, 5, 0)); // not the sequence's number
  BOOST_TEST(draw(1, 5, 0) != draw(1, 6, 0));
  BOOST_TEST(draw(1, 5, 0) != draw(1, 5, 1));
}

BOOST_AUTO_TEST_CASE(penalties_discourage_what_was_generated) {
  auto sampling = greedy();
  sampling.presence_penalty = 1000;
  engine_fixture f;
  const auto tokens = run_alone(*f.driver, {1, {1, 2, 3}, sampling}, 60).tokens;
  const std::set<std::uint32_t> different(tokens.begin(), tokens.end());
  BOOST_TEST(different.size() == tokens.size());
}

BOOST_AUTO_TEST_CASE(a_left_sequence_is_forgotten_and_may_join_again) {
  const auto first = begin(1);
  driver->leave(1);
  driver->add({1, 3, {7}, 0});
  BOOST_TEST((driver->run().rows.at(0)->code == ErrorCode::internal));
  driver->leave(1); // the pages of the row that failed
  BOOST_TEST(begin(1) == first);
}

BOOST_AUTO_TEST_CASE(attach_replaces_every_sequence) {
  const auto first = begin(1);
  begin(2);
  messages::AttachT state;
  state.sequences.push_back(std::make_unique<messages::SequenceStateT>());
  state.sequences[0]->sequence = 1;
  state.sequences[0]->sampling =
      std::make_unique<messages::SamplingT>(greedy());
  state.sequences[0]->tokens = {1, 2, 3};
  state.sequences[0]->prompt_tokens = 3;
  state.sequences[0]->pages = {0};
  device.attach(*messages::pack<messages::Attach>(state));
  driver->add({1, 0, {1, 2, 3}, 2});
  driver->add({2, 3, {7}, 0});
  const auto result = driver->run();
  BOOST_TEST(result.rows.at(0)->tokens.at(0) == first);
  BOOST_TEST((result.rows.at(1)->code == ErrorCode::internal));
}

BOOST_AUTO_TEST_CASE(lanes_do_not_share_sequences) {
  const auto lane = device.add_lane(tiny_model({.seed = 2}), {.kv_pages = 8});
  BOOST_TEST(lane == 1u);
  begin(1);
  plan_driver other{device, lane};
  other.add({1, 0, {1, 2, 3}, 2});
  BOOST_TEST((other.run().rows.at(0)->code == ErrorCode::internal));
}

BOOST_AUTO_TEST_CASE(an_empty_plan_is_answered) {
  const auto result = driver->run();
  BOOST_TEST((result.code == ErrorCode::none));
  BOOST_TEST(result.rows.empty());
}

BOOST_AUTO_TEST_CASE(many_samples_are_drawn_in_slices) {
  // 300 samples of 40,000 logits are more than the scratch holds at a time.
  const auto model = tiny_model({.vocab = 40'000});
  BOOST_TEST((transformer_scratch{*model, 300}.logit_rows()) < 300);
  const std::vector<std::uint32_t> prompt(100, 11);
  device.add_lane(model, {.kv_pages = 64});
  plan_driver whole{device, 1};
  for (std::uint64_t key = 0; key < 3; ++key) {
    messages::SamplingT sampling;
    sampling.repetition_penalty = key == 2 ? 1.5f : 1;
    whole.join({.key = key, .prompt = prompt, .sampling = sampling});
    whole.add({key, 0, prompt, 0});
  }
  const auto together = whole.run();
  for (std::uint64_t key = 0; key < 3; ++key) {
    whole.add({key, 50, {prompt.begin(), prompt.begin() + 50}, 0});
    const auto& all = together.rows.at(key)->tokens;
    BOOST_TEST(all.size() == 100u);
    BOOST_TEST(whole.run().rows.at(0)->tokens ==
                   std::vector<std::uint32_t>(all.begin() + 50, all.end()),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(impossible_options_are_refused) {
  BOOST_CHECK_THROW(device.add_lane(tiny_model({}), {.kv_pages = 0}),
                    contract_violation);
  BOOST_CHECK_THROW(
      device.add_lane(tiny_model({}), {.kv_pages = 4, .page_tokens = 12}),
      contract_violation);
  BOOST_CHECK_THROW(
      device.add_lane(tiny_model({}), {.kv_pages = 4, .max_step_tokens = 0}),
      contract_violation);
  BOOST_TEST(device.lanes() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: Apache-2.0
// What the engine does with plans, good and bad.
#include "model/engine.hpp"

#include "kernels/check.hpp"
#include "kernels/select.hpp"
#include "tests/model/engine/plan_driver.hpp"
#include "tests/model/engine/tiny_model.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <limits>
#include <set>
#include <stdexcept>

using namespace sluice;
using namespace sluice::test;
using messages::ErrorCode;

namespace {

struct fixture {
  explicit fixture(std::shared_ptr<const loaded_model> model = tiny_model({}))
      : device{{.isa = instruction_set::portable}} {
    device.add_lane(std::move(model), {.kv_pages = 32, .max_step_tokens = 64});
    driver = std::make_unique<plan_driver>(device, 0);
  }

  void join(std::uint64_t key, messages::SamplingT sampling = greedy()) {
    driver->join({.key = key, .prompt = {1, 2, 3}, .sampling = sampling});
  }

  /// Joins and feeds three tokens.
  std::uint32_t begin(std::uint64_t key) {
    join(key);
    driver->add({key, 0, {1, 2, 3}, 2});
    return driver->run().rows.at(0)->tokens.at(0);
  }

  engine device;
  std::unique_ptr<plan_driver> driver;
};

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A way to spoil the second row of a plan, and what must come of it.
struct bad_row {
  const char* what;
  std::function<void(messages::StepPlanT&)> spoil;
  ErrorCode code;
  const char* text;
};

const std::vector<bad_row> bad_rows{
    {"unknown sequence", [](auto& p) { p.rows[1]->sequence = 99; },
     ErrorCode::internal, "sequence 99 is not in the lane"},
    {"a gap", [](auto& p) { p.rows[1]->start = 4; }, ErrorCode::internal,
     "its KV ends at 3"},
    {"no token", [](auto& p) { p.rows[1]->tokens.clear(); },
     ErrorCode::internal, "sampled no token"},
    {"token outside the vocabulary", [](auto& p) { p.rows[1]->tokens = {100}; },
     ErrorCode::invalid_argument, "ids end at 99"},
    {"token id that is negative as a signed number",
     [](auto& p) { p.rows[1]->tokens = {~0u}; }, ErrorCode::invalid_argument,
     "token 4294967295"},
    {"samples past the row", [](auto& p) { p.rows[1]->sample_from = 2; },
     ErrorCode::internal, "samples from offset 2"},
    {"no page for the position",
     [](auto& p) { p.rows[1]->tokens.assign(20, 5); }, ErrorCode::internal,
     "its pages end at position 16"},
    {"too many positions", [](auto& p) { p.rows[1]->tokens.assign(64, 5); },
     ErrorCode::internal, "max_step_tokens = 64"},
    {"a second row of the same sequence",
     [](auto& p) {
       p.rows[1]->sequence = 1;
       p.rows[1]->start = 3;
     },
     ErrorCode::internal, "second row"},
    {"a page outside the pool",
     [](auto& p) {
       p.pages.push_back(std::make_unique<messages::PageDeltaT>());
       p.pages.back()->sequence = 2;
       p.pages.back()->pages = {32};
     },
     ErrorCode::ledger_discrepancy, "page 32 is not one of the pool's 32"},
    {"a hole in the page table",
     [](auto& p) {
       p.pages.push_back(std::make_unique<messages::PageDeltaT>());
       p.pages.back()->sequence = 2;
       p.pages.back()->first = 2;
     },
     ErrorCode::internal, "hole before entry 2"},
    {"a page of another sequence",
     [](auto& p) {
       p.pages.push_back(std::make_unique<messages::PageDeltaT>());
       p.pages.back()->sequence = 2;
       p.pages.back()->pages = {0};
     },
     ErrorCode::ledger_discrepancy, "page 0 is also written by sequence 1"},
};

struct bad_sampling {
  std::function<void(messages::SamplingT&)> spoil;
  const char* text;
};

constexpr auto nan = std::numeric_limits<float>::quiet_NaN();

const std::vector<bad_sampling> bad_samplings{
    {[](auto& s) { s.temperature = -1; }, "temperature is -1"},
    {[](auto& s) { s.temperature = nan; }, "temperature is nan"},
    {[](auto& s) { s.top_p = 0; }, "top_p is 0"},
    {[](auto& s) { s.min_p = 1.5f; }, "min_p is 1.5"},
    {[](auto& s) { s.repetition_penalty = 0; }, "repetition_penalty is 0"},
    {[](auto& s) { s.presence_penalty = nan; }, "presence_penalty is nan"},
    {[](auto& s) { s.logit_bias.emplace_back(100, 1.f); },
     "logit_bias names token 100"},
    {[](auto& s) { s.logit_bias.emplace_back(1, nan); }, "not a number"},
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(engine_test, fixture)

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

BOOST_AUTO_TEST_CASE(a_bad_row_fails_alone_and_changes_nothing) {
  for (const auto& bad : bad_rows) {
    BOOST_TEST_CONTEXT(bad.what) {
      fixture f;
      f.begin(1);
      f.begin(2);
      f.driver->add({1, 3, {7}, 0});
      f.driver->add({2, 3, {7}, 0});
      bad.spoil(f.driver->plan());
      const auto result = f.driver->run();
      BOOST_TEST((result.code == ErrorCode::none));
      BOOST_TEST((result.rows.at(0)->code == ErrorCode::none));
      BOOST_TEST(result.rows[0]->tokens.size() == 1u);
      const auto& row = *result.rows.at(1);
      BOOST_TEST((row.code == bad.code));
      BOOST_TEST_MESSAGE(bad.what << ": " << row.text);
      BOOST_TEST(mentions(row.text, bad.text), row.text);
      BOOST_TEST(row.tokens.empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_sequence_goes_on_after_a_bad_row) {
  begin(1);
  driver->add({1, 9, {7}, 0});
  BOOST_TEST((driver->run().rows.at(0)->code != ErrorCode::none));
  driver->add({1, 3, {7}, 0});
  const auto after = driver->run();
  fixture other;
  other.begin(1);
  other.driver->add({1, 3, {7}, 0});
  BOOST_TEST(after.rows.at(0)->tokens ==
             other.driver->run().rows.at(0)->tokens);
}

BOOST_AUTO_TEST_CASE(positions_past_the_context_are_refused) {
  join(1);
  for (std::uint32_t at = 0; at < 128; at += 64) {
    driver->add({1, at, std::vector<std::uint32_t>(64, 5), 64});
    BOOST_TEST((driver->run().rows.at(0)->code == ErrorCode::none));
  }
  driver->add({1, 128, {5}, 0});
  const auto result = driver->run();
  BOOST_TEST((result.rows.at(0)->code == ErrorCode::prompt_too_long));
  BOOST_TEST(mentions(result.rows[0]->text, "context of 128"));
}

BOOST_AUTO_TEST_CASE(bad_sampling_fails_the_sequence_alone) {
  std::uint64_t key = 10;
  begin(1);
  for (const auto& bad : bad_samplings) {
    auto sampling = greedy();
    bad.spoil(sampling);
    join(++key, sampling);
    driver->add({1, 3, {7}, 0});
    driver->add({key, 0, {1, 2, 3}, 2});
    const auto result = driver->run();
    BOOST_TEST((result.rows.at(0)->code == ErrorCode::none));
    BOOST_TEST((result.rows.at(1)->code == ErrorCode::invalid_argument));
    BOOST_TEST(mentions(result.rows[1]->text, bad.text), result.rows[1]->text);
  }
}

BOOST_AUTO_TEST_CASE(a_bias_that_forbids_everything_is_the_clients_fault) {
  auto sampling = greedy();
  for (std::uint32_t token = 0; token < 100; ++token)
    sampling.logit_bias.emplace_back(token,
                                     -std::numeric_limits<float>::infinity());
  join(1, sampling);
  driver->add({1, 0, {1, 2}, 1});
  const auto result = driver->run();
  BOOST_TEST((result.rows.at(0)->code == ErrorCode::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_nan_fails_its_row_alone) {
  fixture f{poisoned_model(42)};
  f.join(1);
  f.join(2);
  f.driver->add({1, 0, {1, 42, 3}, 0});
  f.driver->add({2, 0, {1, 2, 3}, 0});
  const auto result = f.driver->run();
  BOOST_TEST((result.rows.at(0)->code == ErrorCode::numeric_failure));
  BOOST_TEST(mentions(result.rows[0]->text, "position 1"));
  BOOST_TEST(result.rows[0]->tokens.empty());
  BOOST_TEST((result.rows.at(1)->code == ErrorCode::none));
  BOOST_TEST(result.rows[1]->tokens.size() == 3u);
  fixture sound;
  sound.join(2);
  sound.driver->add({2, 0, {1, 2, 3}, 0});
  BOOST_TEST(sound.driver->run().rows.at(0)->tokens == result.rows[1]->tokens);
}

BOOST_AUTO_TEST_CASE(rows_may_name_the_token_of_an_earlier_row) {
  const auto first = begin(1); // row 0 of plan 1
  driver->add_sampled(1, 3, 1, 0);
  const auto chained = driver->run().rows.at(0)->tokens.at(0);
  driver->add_sampled(1, 4, 2, 0);
  const auto third = driver->run().rows.at(0)->tokens.at(0);

  fixture other;
  other.begin(1);
  other.driver->add({1, 3, {first}, 0});
  BOOST_TEST(other.driver->run().rows.at(0)->tokens.at(0) == chained);
  other.driver->add({1, 4, {chained}, 0});
  BOOST_TEST(other.driver->run().rows.at(0)->tokens.at(0) == third);
}

BOOST_AUTO_TEST_CASE(a_row_that_failed_gives_no_token_to_name) {
  begin(1);
  driver->add({1, 9, {7}, 0}); // fails
  driver->run();
  driver->add_sampled(1, 3, 2, 0);
  BOOST_TEST((driver->run().rows.at(0)->code == ErrorCode::internal));
  driver->add_sampled(1, 3, 77, 0);
  BOOST_TEST((driver->run().rows.at(0)->code == ErrorCode::internal));
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
    fixture f;
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
  fixture f;
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

BOOST_AUTO_TEST_CASE(an_unknown_lane_fails_the_step) {
  driver->plan().lane = 3;
  const auto result = driver->run();
  BOOST_TEST((result.code == ErrorCode::internal));
  BOOST_TEST(mentions(result.text, "lane 3 of 1"));
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

BOOST_AUTO_TEST_CASE(a_step_that_fails_as_a_whole_is_taken_back) {
  begin(1);
  driver->add({1, 3, {7}, 0});
  const auto expected = driver->run().rows.at(0)->tokens;
  device.observe([](const logits_row&) { throw std::runtime_error{"stop"}; });
  driver->add({1, 3, {7}, 0}); // rolls back, too
  const auto failed = driver->run();
  BOOST_TEST((failed.code == ErrorCode::executor_failed));
  BOOST_TEST(failed.text == "stop");
  device.observe({});
  driver->add({1, 3, {7}, 0});
  BOOST_TEST(driver->run().rows.at(0)->tokens == expected);
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

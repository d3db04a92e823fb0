// SPDX-License-Identifier: Apache-2.0
// A mistake in a plan is the answer of its row alone.
#include "tests/model/engine/engine_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <limits>
#include <stdexcept>

using namespace sluice;
using namespace sluice::test;
using messages::ErrorCode;

namespace {

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
    {"scores past the row",
     [](auto& p) {
       p.rows[1]->sample_from = 1;
       p.rows[1]->score_from = 1;
       p.rows[1]->next_tokens = {5};
     },
     ErrorCode::internal, "scores 1 positions from offset 1"},
    {"scores from an offset that wraps around",
     [](auto& p) {
       p.rows[1]->sample_from = 1;
       p.rows[1]->score_from = ~0u;
       p.rows[1]->next_tokens = {5};
     },
     ErrorCode::internal, "scored positions end before"},
    {"scores a sampled position",
     [](auto& p) {
       p.rows[1]->sample_from = 0;
       p.rows[1]->next_tokens = {5};
     },
     ErrorCode::internal, "samples from 0"},
    {"a scored token outside the vocabulary",
     [](auto& p) {
       p.rows[1]->sample_from = 1;
       p.rows[1]->next_tokens = {100};
     },
     ErrorCode::invalid_argument, "token 100 is not in the vocabulary"},
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

BOOST_FIXTURE_TEST_SUITE(bad_plans, engine_fixture)

BOOST_AUTO_TEST_CASE(a_bad_row_fails_alone_and_changes_nothing) {
  for (const auto& bad : bad_rows) {
    BOOST_TEST_CONTEXT(bad.what) {
      engine_fixture f;
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
  engine_fixture other;
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
  engine_fixture f{poisoned_model(42)};
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
  engine_fixture sound;
  sound.join(2);
  sound.driver->add({2, 0, {1, 2, 3}, 0});
  BOOST_TEST(sound.driver->run().rows.at(0)->tokens == result.rows[1]->tokens);
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

BOOST_AUTO_TEST_CASE(an_unknown_lane_fails_the_step) {
  driver->plan().lane = 3;
  const auto result = driver->run();
  BOOST_TEST((result.code == ErrorCode::internal));
  BOOST_TEST(mentions(result.text, "lane 3 of 1"));
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

BOOST_AUTO_TEST_SUITE_END()

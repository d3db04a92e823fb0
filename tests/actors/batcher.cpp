// SPDX-License-Identifier: Apache-2.0
#include "actors/batcher.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

#include "actors/metric_names.hpp"
#include "tests/actors/lane_fixture.hpp"

using namespace std::chrono_literals;
using namespace sluice;
using namespace sluice::tests;

BOOST_FIXTURE_TEST_SUITE(batcher_actor_tests, lane_fixture)

BOOST_AUTO_TEST_CASE(a_request_runs_to_its_length_and_gives_its_pages_back) {
  admit(work_of(1, 20, 3));
  BOOST_REQUIRE_EQUAL(waiting_plans(), 2u); // one ahead of the results
  BOOST_TEST(log->plans[0]->joined()->size() == 1u);
  BOOST_TEST(log->plans[0]->rows()->Get(0)->tokens()->size() == 16u);
  BOOST_TEST(ledger().active == 3u);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->generated_tokens() == 3u);
  BOOST_TEST(text_of(1) == std::string{text->token_bytes(40)} +
                               std::string{text->token_bytes(40)} +
                               std::string{text->token_bytes(40)});
  BOOST_TEST(unused_pages() == pool_pages);
  const auto& last = *log->tokens.back();
  BOOST_REQUIRE(last.finished() && last.finished()->size() == 1u);
  BOOST_TEST(last.finished()->Get(0)->reason() == FinishReason::length);
  BOOST_TEST(last.finished()->Get(0)->receipt()->prompt_tokens() == 20u);
}

BOOST_AUTO_TEST_CASE(sequences_join_and_leave_at_every_step) {
  admit(work_of(1, 4, 20));
  admit(work_of(2, 4, 2));
  answer(40);
  answer(41);
  const auto& shared = *log->plans.back();
  BOOST_TEST(shared.rows()->size() == 2u); // both decode in one step
  for (int i = 0; i < 3; ++i)
    answer(42);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->request() == 2u);
  BOOST_TEST(log->plans.back()->rows()->size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_was_computed_past_a_stop_token_is_discarded) {
  auto work = work_of(1, 4, 20);
  work.stopping->stop_tokens = {eos};
  admit(std::move(work));
  BOOST_REQUIRE_EQUAL(waiting_plans(), 2u);
  answer(eos); // the second plan is already on its way
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(ledger().in_flight == 1u); // it may still touch the page
  answer(77);
  BOOST_TEST(waiting_plans() == 0u);
  BOOST_TEST(text_of(1).empty());
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_CASE(a_cancel_takes_effect_at_the_next_step) {
  admit(work_of(1, 40, 20)); // still in its prompt
  admit(work_of(2, 4, 20));
  answer(40);
  stop(1, FinishReason::cancelled);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  while (waiting_plans() > 0 && log->plans.size() < 8)
    answer(40);
  const auto& later = *log->plans.back();
  for (const auto* row : *later.rows())
    BOOST_TEST(row->sequence() == sequence_key(2, 0));
  stop(2, FinishReason::cancelled);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(unused_pages() == pool_pages);
  BOOST_TEST(log->outcomes.size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_time_from_a_cancel_to_free_pages_is_metered) {
  admit(work_of(1, 4, 20));
  answer(40);
  stop(1, FinishReason::cancelled);
  const auto measured = [&] {
    std::vector<double> times;
    for (const auto& sample : log->samples)
      if (std::string_view{sample.name} == metric::cancel_free_seconds)
        times.push_back(sample.value);
    return times;
  };
  BOOST_TEST(measured().empty()); // plans on their way still name its page
  advance(std::chrono::seconds{3});
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(unused_pages() == pool_pages);
  BOOST_REQUIRE_EQUAL(measured().size(), 1u);
  BOOST_TEST(measured()[0] == 3.0);
}

BOOST_AUTO_TEST_CASE(a_lost_answer_about_pages_fails_whom_it_concerned) {
  admit(work_of(1, 4, 20));
  admit(work_of(2, 40, 20)); // in its prompt
  answer(40);
  *pages_fail = true;
  answer(40);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 2u);
  for (const auto& outcome : log->outcomes)
    BOOST_TEST(outcome->code() == ErrorCode::internal);
  admit(work_of(3, 4, 2)); // it lasts
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 3u);
  *pages_fail = false;
  admit(work_of(4, 4, 2));
  while (waiting_plans() > 0)
    answer(41);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 4u);
  BOOST_TEST(log->outcomes[3]->code() == ErrorCode::none);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_CASE(steps_teach_the_cost_model_and_their_times_are_metered) {
  admit(work_of(1, 4, 4));
  while (waiting_plans() > 0)
    answer(40, ErrorCode::none, 1500);
  const auto sum_of = [&](std::string_view name) {
    double sum = 0;
    for (const auto& sample : log->samples)
      if (sample.name == name)
        sum += sample.value;
    return sum;
  };
  BOOST_TEST(sum_of(metric::step_predicted_seconds) > 0);
  BOOST_TEST(sum_of(metric::step_prediction_error) > 0);
}

BOOST_AUTO_TEST_CASE(a_report_tells_how_long_a_step_has_taken) {
  advance(std::chrono::seconds{100}); // idle is not stuck
  BOOST_TEST(ask<batcher_report>(lane, report_atom::value).plans == 0u);
  admit(work_of(1, 20, 3));
  advance(std::chrono::seconds{40});
  const auto stuck = ask<batcher_report>(lane, report_atom::value);
  BOOST_TEST(stuck.plans == 2u);
  BOOST_TEST(stuck.oldest_plan == log->plans[0]->number());
  BOOST_TEST(stuck.plan_age_us == 40'000'000u);
  answer(40);
  const auto going = ask<batcher_report>(lane, report_atom::value);
  BOOST_TEST(going.oldest_plan == log->plans[1]->number());
  BOOST_TEST(going.plan_age_us == 0u);
}

BOOST_AUTO_TEST_CASE(the_scheduler_hears_what_every_step_gave) {
  auto work = work_of(1, 4, 3);
  work.n = 2;
  admit(std::move(work));
  admit(work_of(2, 4, 3));
  while (waiting_plans() > 0)
    answer(40);
  std::map<request_number, std::uint32_t> tokens;
  for (const auto& news : log->news)
    for (const auto& each : news.generated)
      tokens[each.request] += each.tokens;
  BOOST_TEST(tokens.size() == 2u);
  BOOST_TEST(tokens[1] == 6u);
  BOOST_TEST(tokens[2] == 3u);
  BOOST_TEST(log->news.size() == log->plans.size());
  BOOST_TEST(log->news.front().free_pages < pool_pages);
}

BOOST_AUTO_TEST_CASE(a_failed_step_fails_its_requests_and_nobody_else) {
  admit(work_of(1, 4, 20));
  answer(40);
  answer(40, ErrorCode::executor_failed);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->code() == ErrorCode::executor_failed);
  admit(work_of(2, 4, 2));
  while (waiting_plans() > 0)
    answer(41);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 2u);
  BOOST_TEST(log->outcomes[1]->code() == ErrorCode::none);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_CASE(a_result_without_its_rows_fails_the_request) {
  admit(work_of(1, 4, 20));
  messages::StepResultT empty;
  empty.number = log->plans.at(0)->number();
  caf::anon_send(lane, messages::pack<messages::StepResult>(empty));
  run();
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->code() == ErrorCode::executor_failed);
}

BOOST_AUTO_TEST_CASE(several_sequences_of_a_request_end_it_together) {
  auto work = work_of(1, 4, 2);
  work.n = 3;
  admit(std::move(work));
  while (waiting_plans() > 0)
    answer(40);
  std::size_t ends = 0;
  std::size_t finished = 0;
  for (const auto& step : log->tokens) {
    ends += step->ends() ? step->ends()->size() : 0;
    finished += step->finished() ? step->finished()->size() : 0;
  }
  BOOST_TEST(ends == 3u);
  BOOST_TEST(finished == 1u);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_CASE(a_lone_request_cancelled_before_its_pages_frees_them) {
  messages::AdmitT order;
  order.work = std::make_unique<messages::WorkT>(work_of(1, 20, 3));
  messages::StopT stopping;
  stopping.request = 1;
  stopping.reason = FinishReason::cancelled;
  caf::anon_send(lane, messages::pack<messages::Admit>(order));
  caf::anon_send(lane, messages::pack<messages::Stop>(stopping));
  run(); // the grant arrives for a sequence that has left
  while (waiting_plans() > 0)
    answer(40);
  BOOST_TEST(unused_pages() == pool_pages);
  BOOST_TEST(log->outcomes.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_score_streams_its_prompt_and_generates_nothing) {
  auto work = work_of(1, 20, 0);
  work.score_only = work.publish_scores = true;
  work.score_from = 1;
  admit(std::move(work));
  while (waiting_plans() > 0)
    answer_scores();
  BOOST_TEST(scored_of(1) == std::vector<std::uint32_t>(19, 5),
             boost::test_tools::per_element());
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->code() == ErrorCode::none);
  const auto& last = *log->tokens.back()->finished()->Get(0);
  BOOST_TEST(last.reason() == FinishReason::scored);
  BOOST_TEST(last.receipt()->scored_tokens() == 19u);
  BOOST_TEST(last.receipt()->generated_tokens() == 0u);
  BOOST_TEST(last.receipt()->likeliest_tokens() == 2u); // one a chunk
  BOOST_TEST(last.receipt()->log_likelihood() == -9.5);
  BOOST_TEST(std::abs(last.receipt()->perplexity() - std::exp(0.5)) < 1e-12);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_CASE(prompt_scores_come_before_the_answer_and_once) {
  auto work = work_of(1, 20, 2);
  work.publish_scores = true;
  work.score_from = 1;
  work.n = 2;
  work.echo = "the prompt";
  admit(std::move(work));
  BOOST_TEST(text_of(1) == "the promptthe prompt"); // of each sequence
  while (waiting_plans() > 0 && log->plans.size() < 4)
    answer_scores();
  BOOST_TEST(scored_of(1).size() == 19u);
  while (waiting_plans() > 0)
    answer(40);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->generated_tokens() == 4u);
}

BOOST_AUTO_TEST_CASE(a_sum_alone_streams_nothing) {
  auto work = work_of(1, 20, 0);
  work.score_only = true;
  work.score_from = 15;
  admit(std::move(work));
  while (waiting_plans() > 0)
    answer_scores();
  BOOST_TEST(scored_of(1).empty());
  const auto& last = *log->tokens.back()->finished()->Get(0);
  BOOST_TEST(last.receipt()->scored_tokens() == 5u);
}

BOOST_AUTO_TEST_CASE(missing_scores_fail_the_request) {
  auto work = work_of(1, 20, 0);
  work.score_only = true;
  work.score_from = 1;
  admit(std::move(work));
  answer_scores(1);
  BOOST_REQUIRE_EQUAL(log->outcomes.size(), 1u);
  BOOST_TEST(log->outcomes[0]->code() == ErrorCode::executor_failed);
  while (waiting_plans() > 0)
    answer_scores();
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_CASE(a_cancelled_score_frees_its_pages) {
  auto work = work_of(1, 60, 0);
  work.score_only = work.publish_scores = true;
  work.score_from = 1;
  admit(std::move(work));
  answer_scores();
  stop(1, FinishReason::cancelled);
  while (waiting_plans() > 0)
    answer_scores();
  const auto& outcome = *log->outcomes.at(0);
  BOOST_TEST(outcome.code() == ErrorCode::none);
  BOOST_TEST(scored_of(1).size() == 16u);
  BOOST_TEST(unused_pages() == pool_pages);
}

BOOST_AUTO_TEST_SUITE_END()

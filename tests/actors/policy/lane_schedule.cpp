// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/lane_schedule.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <numeric>
#include <random>
#include <set>

using sluice::policy::lane_limits;
using sluice::policy::lane_schedule;
using sluice::policy::planned_row;
using sluice::policy::prompt_scoring;
using sluice::policy::step_draft;

namespace {

std::vector<std::uint32_t> prompt_of(std::uint32_t tokens) {
  std::vector<std::uint32_t> prompt(tokens);
  std::iota(prompt.begin(), prompt.end(), 100u);
  return prompt;
}

/// A sequence that finds nothing in the cache.
void enter(lane_schedule& schedule, std::uint64_t key,
           std::vector<std::uint32_t> prompt, std::uint32_t max_tokens,
           prompt_scoring scoring = {}) {
  schedule.join({.key = key,
                 .prompt = std::move(prompt),
                 .max_tokens = max_tokens,
                 .scoring = scoring});
  schedule.wishes();
  schedule.enter(key, 0);
}

step_draft next(lane_schedule& schedule) {
  auto draft = schedule.draft();
  BOOST_REQUIRE(draft.has_value());
  BOOST_REQUIRE(schedule.confirm(*draft, {}));
  return *draft;
}

} // namespace

BOOST_AUTO_TEST_SUITE(lane_schedule_policy)

BOOST_AUTO_TEST_CASE(cuts_a_prompt_into_chunks_and_samples_after_the_last) {
  lane_schedule schedule{{.context_tokens = 64, .step_tokens = 8}};
  enter(schedule, 1, prompt_of(20), 4);
  struct row {
    std::uint32_t start, length;
    bool sampled, joins;
  };
  const row table[] = {
      {0, 8, false, true}, {8, 8, false, false}, {16, 4, true, false}};
  for (const auto& expected : table) {
    const auto draft = next(schedule);
    BOOST_REQUIRE_EQUAL(draft.rows.size(), 1u);
    const auto& got = draft.rows[0];
    BOOST_TEST(got.start == expected.start);
    BOOST_TEST(got.length() == expected.length);
    BOOST_TEST(got.sampled == expected.sampled);
    BOOST_TEST(got.joins == expected.joins);
    schedule.result(draft.number);
  }
}

BOOST_AUTO_TEST_CASE(decodes_come_first_and_the_budget_holds) {
  lane_schedule schedule{{.context_tokens = 64, .step_tokens = 6}};
  enter(schedule, 1, prompt_of(2), 8);
  enter(schedule, 2, prompt_of(2), 8);
  const auto first = next(schedule);
  schedule.result(first.number);
  schedule.append(1, 5);
  schedule.append(2, 6);
  enter(schedule, 3, prompt_of(30), 8);
  const auto second = next(schedule);
  BOOST_REQUIRE_EQUAL(second.rows.size(), 3u);
  BOOST_TEST(second.rows[0].sequence == 1u);
  BOOST_TEST(second.rows[0].tokens == std::vector<std::uint32_t>{5},
             boost::test_tools::per_element());
  BOOST_TEST(second.rows[1].sequence == 2u);
  BOOST_TEST(second.rows[2].sequence == 3u);
  BOOST_TEST(second.rows[2].length() == 4u); // what the decodes left
}

BOOST_AUTO_TEST_CASE(plans_ahead_by_reference_and_discards_past_an_end) {
  lane_schedule schedule{
      {.context_tokens = 64, .step_tokens = 8, .pipeline_depth = 2}};
  enter(schedule, 1, prompt_of(3), 8);
  const auto first = next(schedule);
  const auto second = next(schedule); // the first token is not known yet
  BOOST_TEST(second.rows[0].tokens.empty());
  BOOST_TEST(second.rows[0].start == 3u);
  BOOST_TEST(second.rows[0].from.plan == first.number);
  BOOST_TEST(second.rows[0].from.row == 0u);
  BOOST_TEST(!schedule.draft().has_value()); // the pipeline is full
  BOOST_TEST(schedule.finished_plan() == first.number - 1);
  BOOST_TEST(schedule.result(first.number).size() == 1u);
  schedule.end(1); // its first token was a stop token
  BOOST_TEST(schedule.result(second.number).empty());
  BOOST_TEST(schedule.finished_plan() == second.number);
  BOOST_TEST(!schedule.draft().has_value());
}

BOOST_AUTO_TEST_CASE(never_plans_past_max_tokens_or_the_context) {
  struct row {
    std::uint32_t prompt, most, context, expected;
  };
  const row table[] = {
      {3, 5, 64, 5}, {3, 1, 64, 1}, {60, 100, 64, 4}, {10, 0, 16, 6}};
  for (const auto& [prompt, most, context, expected] : table) {
    lane_schedule schedule{
        {.context_tokens = context, .step_tokens = 128, .pipeline_depth = 2}};
    enter(schedule, 1, prompt_of(prompt), most);
    std::uint32_t samples = 0;
    std::uint32_t end = 0;
    std::vector<std::uint64_t> plans;
    while (auto draft = schedule.draft()) {
      schedule.confirm(*draft, {});
      samples += draft->rows[0].sampled;
      end = draft->rows[0].end();
      schedule.result(draft->number);
      const bool full = draft->rows[0].sampled && schedule.append(1, 9);
      BOOST_TEST(full == (samples == expected));
    }
    BOOST_TEST(samples == expected);
    BOOST_TEST(end < context);
  }
}

BOOST_AUTO_TEST_CASE(waiting_sequences_keep_their_place) {
  lane_schedule schedule{{.context_tokens = 64, .step_tokens = 8}};
  enter(schedule, 1, prompt_of(4), 2);
  enter(schedule, 2, prompt_of(4), 2);
  auto draft = schedule.draft();
  const std::uint64_t waiting[] = {1};
  BOOST_TEST(schedule.confirm(*draft, waiting));
  BOOST_REQUIRE_EQUAL(draft->rows.size(), 1u);
  BOOST_TEST(draft->rows[0].sequence == 2u);
  const auto again = schedule.draft();
  BOOST_TEST(again->rows.back().sequence == 1u);
  BOOST_TEST(again->rows.back().start == 0u);
}

BOOST_AUTO_TEST_CASE(an_emptied_draft_spends_its_number) {
  lane_schedule schedule{{.context_tokens = 64}};
  enter(schedule, 1, prompt_of(4), 2);
  auto draft = schedule.draft();
  schedule.end(1);
  BOOST_TEST(!schedule.confirm(*draft, {}));
  BOOST_TEST(schedule.finished_plan() == draft->number);
}

BOOST_AUTO_TEST_CASE(learns_from_steps_and_keeps_to_the_target) {
  using sluice::policy::cost_model;
  using sluice::policy::instant;
  const cost_model machine{
      {.step = 5e-3, .row = 2e-4, .sample = 0, .kv_read = 0, .kv_score = 1e-7}};
  lane_schedule schedule{{.context_tokens = 20'000,
                          .step_tokens = 512,
                          .pipeline_depth = 1,
                          .itl_target = std::chrono::milliseconds{20},
                          .decode_share = 0.25}};
  for (std::uint64_t i = 1; i <= 4; ++i)
    enter(schedule, i, prompt_of(20), 10'000);
  int late = 0;
  int learned = 0;
  for (int step = 0; step < 1500; ++step) {
    if (step == 50)
      enter(schedule, 9, prompt_of(16'000), 10);
    const auto draft = next(schedule);
    sluice::policy::step_shape shape;
    for (const auto& row : draft.rows)
      shape +=
          sluice::policy::shape_of_run(row.start, row.length(), row.sampled);
    const auto took = machine.predict(shape);
    late += step > 60 && took > std::chrono::milliseconds{22};
    BOOST_TEST(!schedule.measured(draft.number + 1, took).has_value());
    const auto timing = schedule.measured(draft.number, took);
    BOOST_REQUIRE(timing.has_value());
    BOOST_TEST((timing->shape == shape));
    learned += step > 100 && timing->predicted < took * 1.2 &&
               timing->predicted > took * 0.8;
    for (const auto& live : schedule.result(draft.number))
      if (live.sampled && schedule.append(live.sequence, 7))
        schedule.end(live.sequence);
  }
  BOOST_TEST(late == 0);
  BOOST_TEST(learned > 1350);
  BOOST_TEST(schedule.sequences() == 4u); // the long prompt came to its end
}

BOOST_AUTO_TEST_CASE(more_decodes_than_a_step_holds_take_turns) {
  lane_schedule schedule{{.context_tokens = 256, .step_tokens = 4}};
  for (std::uint64_t i = 1; i <= 10; ++i)
    enter(schedule, i, prompt_of(1), 200);
  std::map<std::uint64_t, int> steps;
  for (int i = 0; i < 100; ++i) {
    const auto draft = next(schedule);
    BOOST_REQUIRE(draft.rows.size() <= 4u);
    for (const auto& row : draft.rows)
      ++steps[row.sequence];
    for (const auto& live : schedule.result(draft.number))
      schedule.append(live.sequence, 7);
  }
  BOOST_TEST(steps.size() == 10u);
  for (const auto& [sequence, count] : steps)
    BOOST_TEST(count >= 20);
}

// Drives random schedules against a model of the executor and checks that
// every sequence covers its positions once, in order, with the right tokens.
BOOST_AUTO_TEST_CASE(random_schedules_cover_every_position_in_order) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random{seed};
    lane_schedule schedule{
        {.context_tokens = 64,
         .step_tokens = 1 + static_cast<std::uint32_t>(random() % 12),
         .pipeline_depth = 1 + static_cast<std::uint32_t>(random() % 3)}};
    std::map<std::uint64_t, std::uint32_t> covered;
    std::map<std::uint64_t, std::uint32_t> wanted;
    std::deque<step_draft> flying;
    std::uint64_t joined = 0;
    while (joined < 10 || !flying.empty() || schedule.sequences() > 0) {
      if (joined < 10 && random() % 2) {
        const auto prompt = 1 + static_cast<std::uint32_t>(random() % 20);
        const auto most = 1 + static_cast<std::uint32_t>(random() % 10);
        enter(schedule, ++joined, prompt_of(prompt), most);
        wanted[joined] = prompt + most - 1;
      }
      if (auto draft = schedule.draft(); draft && random() % 4) {
        BOOST_REQUIRE(schedule.confirm(*draft, {}));
        for (const auto& row : draft->rows) {
          BOOST_REQUIRE_EQUAL(row.start, covered[row.sequence]);
          covered[row.sequence] = row.end();
        }
        flying.push_back(*draft);
      } else if (!flying.empty()) {
        for (const auto& live : schedule.result(flying.front().number))
          if (live.sampled && schedule.append(live.sequence, 7))
            schedule.end(live.sequence);
        flying.pop_front();
      }
    }
    for (const auto& [sequence, positions] : wanted)
      BOOST_REQUIRE_EQUAL(covered[sequence], positions);
  }
}

// prompt_of(n) holds 100, 101, ...: position p is scored by token 101 + p.
BOOST_AUTO_TEST_CASE(scored_prompts_carry_the_tokens_of_the_next_chunk) {
  struct row {
    std::uint32_t start, length, score_from, scores;
    bool completes;
  };
  struct setting {
    prompt_scoring scoring;
    std::vector<row> rows;
  };
  const setting table[] = {
      {{.from = 1, .only = true},
       {{0, 8, 0, 8, false}, {8, 8, 0, 8, false}, {16, 3, 0, 3, true}}},
      {{.from = 1, .only = false}, // the last is sampled: nothing follows it
       {{0, 8, 0, 8, false}, {8, 8, 0, 8, false}, {16, 4, 0, 3, false}}},
      {{.from = 11, .only = true},
       {{0, 8, 0, 0, false}, {8, 8, 2, 6, false}, {16, 3, 0, 3, true}}},
      {{.from = 30, .only = false},
       {{0, 8, 0, 0, false}, {8, 8, 0, 0, false}, {16, 4, 0, 0, false}}},
  };
  for (const auto& [scoring, rows] : table) {
    lane_schedule schedule{{.context_tokens = 64, .step_tokens = 8}};
    enter(schedule, 1, prompt_of(20), 4, scoring);
    for (const auto& expected : rows) {
      const auto draft = next(schedule);
      const auto& got = draft.rows.at(0);
      BOOST_TEST(got.start == expected.start);
      BOOST_TEST(got.length() == expected.length);
      BOOST_TEST(got.next_tokens.size() == expected.scores);
      if (expected.scores > 0) {
        BOOST_TEST(got.score_from == expected.score_from);
        BOOST_TEST(got.next_tokens.front() ==
                   101 + expected.start + expected.score_from);
      }
      const auto live = schedule.result(draft.number).at(0);
      BOOST_TEST(live.scores == expected.scores);
      BOOST_TEST(live.completes == expected.completes);
    }
    BOOST_TEST(schedule.draft().has_value() == !scoring.only);
  }
}

BOOST_AUTO_TEST_CASE(a_scored_text_may_be_as_long_as_the_context) {
  lane_schedule schedule{{.context_tokens = 16, .step_tokens = 32}};
  enter(schedule, 1, prompt_of(16), 0, {.from = 1, .only = true});
  const auto draft = next(schedule);
  BOOST_TEST(draft.rows.at(0).length() == 15u);
  BOOST_TEST(draft.rows[0].next_tokens.size() == 15u);
  BOOST_TEST(schedule.result(draft.number).at(0).completes);
  BOOST_TEST(!schedule.draft().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

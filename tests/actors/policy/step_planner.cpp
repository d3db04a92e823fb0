// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/step_planner.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <numeric>
#include <random>

using namespace std::chrono_literals;
using sluice::policy::cost_model;
using sluice::policy::instant;
using sluice::policy::open_prompt;
using sluice::policy::shape_of_run;
using sluice::policy::step_budget;
using sluice::policy::step_planner;
using sluice::policy::step_shape;

namespace {

// 10 ms a step and 1 ms a row: times can be added up by hand.
const cost_model plain{{.step = 10e-3,
                        .row = 1e-3,
                        .more_rows = 0,
                        .sample = 0,
                        .kv_read = 0,
                        .kv_score = 0}};

step_shape decodes(std::uint32_t count, std::uint32_t context = 100) {
  step_shape shape;
  for (std::uint32_t i = 0; i < count; ++i)
    shape += shape_of_run(context, 1, true);
  return shape;
}

using lengths = std::vector<std::uint32_t>;

} // namespace

BOOST_AUTO_TEST_SUITE(step_planner_policy)

BOOST_AUTO_TEST_CASE(shares_one_step) {
  struct row {
    const char* what;
    step_budget budget;
    std::uint32_t decoding;
    std::vector<open_prompt> prompts;
    lengths expected;
  };
  const row table[] = {
      {"no prompts", {}, 4, {}, {}},
      {"a short prompt whole", {}, 0, {{0, 100}}, {100}},
      {"as much as a step holds", {.step_tokens = 64}, 0, {{0, 100}}, {64}},
      {"cut so that the rows fill panels",
       {.step_tokens = 64},
       5,
       {{0, 100}},
       {59}},
      {"odd step sizes round down to panels",
       {.step_tokens = 60},
       5,
       {{0, 100}},
       {43}}, // 48 rows
      {"less than a panel is taken as it is",
       {.step_tokens = 6},
       2,
       {{0, 100}},
       {4}},
      {"full of decodes", {.step_tokens = 4}, 4, {{0, 100}}, {0}},
      {"the shortest first, the next gets the rest",
       {.step_tokens = 64},
       0,
       {{0, 90}, {40, 10}, {0, 30}},
       {24, 10, 30}},
      {"equals by arrival",
       {.step_tokens = 16},
       0,
       {{0, 20}, {0, 20}},
       {16, 0}},
      {"time bounds while streams decode: 10 + 8 + 24 of 51 ms, 32 rows",
       {.itl_target = 51ms},
       8,
       {{0, 1000}},
       {24}},
      {"no decodes, no target", {.itl_target = 20ms}, 0, {{0, 1000}}, {512}},
      {"the end of a prompt need not fill a panel",
       {.itl_target = 51ms},
       8,
       {{90, 10}},
       {10}},
  };
  for (const auto& [what, budget, decoding, prompts, expected] : table) {
    step_planner planner{budget};
    const auto got = planner.share(decodes(decoding), prompts, plain);
    BOOST_TEST_CONTEXT(what)
    BOOST_TEST(got == expected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(every_fourth_step_goes_by_arrival) {
  step_planner planner{{.step_tokens = 16}};
  const open_prompt prompts[] = {{0, 5000}, {0, 1000}};
  std::vector<std::size_t> served;
  for (int i = 0; i < 8; ++i) {
    const auto got = planner.share({}, prompts, plain);
    served.push_back(got[0] > 0 ? 0 : 1);
  }
  BOOST_TEST(served == (std::vector<std::size_t>{1, 1, 1, 0, 1, 1, 1, 0}),
             boost::test_tools::per_element());
}

// 40 decodes take 50 ms, the target is 20 ms: a quarter of 50 ms are 12 rows.
BOOST_AUTO_TEST_CASE(prompts_keep_their_share_when_decodes_exceed_the_target) {
  struct row {
    double share;
    instant target;
    std::uint32_t expected;
  };
  const row table[] = {
      {0.25, 20ms, 12}, {0.5, 20ms, 24}, {0.25, 55ms, 12}, {0.25, 74ms, 24}};
  for (const auto& [share, target, expected] : table) {
    step_planner planner{{.itl_target = target, .prompt_share = share}};
    const open_prompt prompts[] = {{0, 1000}};
    BOOST_TEST(planner.share(decodes(40), prompts, plain)[0] == expected);
  }
}

// 1 ms a step, 4 s a row: a quarter of 4 s a step pays for a row (and, at twice
// the price of one, for two) every eighth step.
BOOST_AUTO_TEST_CASE(what_never_fits_is_saved_up_for) {
  const cost_model slow{
      {.step = 1e-3, .row = 4.0, .sample = 0, .kv_read = 0, .kv_score = 0}};
  step_planner planner{{.itl_target = 1ms, .prompt_share = 0.25}};
  std::uint32_t positions = 0;
  const open_prompt prompts[] = {{0, 64}};
  for (int step = 0; step < 80; ++step)
    positions += planner.share(decodes(1), prompts, slow)[0];
  BOOST_TEST(positions >= 18u);
  BOOST_TEST(positions <= 20u);
}

BOOST_AUTO_TEST_CASE(no_share_no_progress_past_the_target) {
  step_planner planner{{.itl_target = 20ms, .prompt_share = 0}};
  const open_prompt prompts[] = {{0, 64}};
  for (int step = 0; step < 100; ++step)
    BOOST_TEST(planner.share(decodes(40), prompts, plain)[0] == 0u);
}

// The promise to running streams: a long prompt cannot take steps past the
// target, wherever in the prompt it is, and still comes to its end.
BOOST_AUTO_TEST_CASE(a_32k_prompt_keeps_steps_within_the_target) {
  const cost_model costs{{.step = 20e-3,
                          .row = 2e-4,
                          .more_rows = 1e-4,
                          .sample = 1e-4,
                          .kv_read = 2e-7,
                          .kv_score = 2e-7}};
  step_planner planner{{.itl_target = 60ms}};
  const auto victims = decodes(8, 2000);
  std::uint32_t at = 0;
  int steps = 0;
  while (at < 32'768) {
    const open_prompt prompts[] = {{at, 32'768 - at}};
    const auto length = planner.share(victims, prompts, costs)[0];
    auto step = victims;
    if (length > 0)
      step += shape_of_run(at, length, false);
    BOOST_REQUIRE((costs.predict(step) <= 60ms));
    at += length;
    BOOST_REQUIRE(++steps < 5000);
  }
  BOOST_TEST(steps > 64); // more than the 512 at a time without a target
}

BOOST_AUTO_TEST_CASE(random_steps_hold_their_bounds_and_always_progress) {
  std::mt19937 random{11};
  const auto below = [&](std::uint32_t n) {
    return static_cast<std::uint32_t>(random() % n);
  };
  for (int i = 0; i < 3000; ++i) {
    const step_budget budget{.step_tokens = 1 + below(300),
                             .itl_target = instant{below(80) * 1'000'000},
                             .prompt_share = 0.01 * below(100)};
    step_planner planner{budget};
    const auto decoding = below(std::min(budget.step_tokens, 60u));
    std::vector<open_prompt> prompts(1 + below(5));
    for (auto& prompt : prompts)
      prompt = {below(1000), 1 + below(400)};
    const auto got = planner.share(decodes(decoding), prompts, plain);
    BOOST_REQUIRE_EQUAL(got.size(), prompts.size());
    const auto sum = std::accumulate(got.begin(), got.end(), 0u);
    BOOST_REQUIRE(decoding + sum <= budget.step_tokens);
    for (std::size_t k = 0; k < got.size(); ++k)
      BOOST_REQUIRE(got[k] <= prompts[k].remaining);
    if (decoding == 0)
      BOOST_REQUIRE(sum > 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()

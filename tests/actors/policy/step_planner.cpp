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
      {"no decodes, no target", {}, 0, {{0, 1000}}, {512}},
      {"no decodes: four times the target",
       {.itl_target = 20ms},
       0,
       {{0, 1000}},
       {64}},
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

// 40 decodes take 50 ms, the target is 20 ms: at a share of 80 % they grant a
// quarter of 50 ms, 12 rows.
BOOST_AUTO_TEST_CASE(prompts_keep_their_share_when_decodes_exceed_the_target) {
  struct row {
    double share;
    instant target;
    std::uint32_t expected;
  };
  const row table[] = {
      {0.8, 20ms, 12}, {2.0 / 3, 20ms, 24}, {0.8, 55ms, 12}, {0.8, 74ms, 24}};
  for (const auto& [share, target, expected] : table) {
    step_planner planner{{.itl_target = target, .decode_share = share}};
    const open_prompt prompts[] = {{0, 1000}};
    BOOST_TEST(planner.share(decodes(40), prompts, plain)[0] == expected);
  }
}

// 1 ms a step, 4 s a row: a quarter of 4 s a step pays for a row (and, at twice
// the price of one, for two) every eighth step.
BOOST_AUTO_TEST_CASE(what_never_fits_is_saved_up_for) {
  const cost_model slow{
      {.step = 1e-3, .row = 4.0, .sample = 0, .kv_read = 0, .kv_score = 0}};
  step_planner planner{{.itl_target = 1ms, .decode_share = 0.8}};
  std::uint32_t positions = 0;
  const open_prompt prompts[] = {{0, 64}};
  for (int step = 0; step < 80; ++step)
    positions += planner.share(decodes(1), prompts, slow)[0];
  BOOST_TEST(positions >= 18u);
  BOOST_TEST(positions <= 20u);
}

BOOST_AUTO_TEST_CASE(all_for_the_decodes_leaves_prompts_what_was_saved) {
  step_planner planner{{.itl_target = 20ms, .decode_share = 1}};
  const open_prompt prompts[] = {{0, 100}};
  std::uint32_t positions = 0;
  for (int step = 0; step < 100; ++step)
    positions += planner.share(decodes(1), prompts, plain)[0];
  BOOST_TEST(positions <= 40u); // 2 * 20 ms
}

// 18 ms of decodes grant 6 ms a step; of the 51 ms of a long step they leave
// 33, which 24 rows fill up to a panel. Two such are saved from before.
BOOST_AUTO_TEST_CASE(chunks_are_bought_whole_and_not_in_every_step) {
  step_planner planner{{.itl_target = 51ms, .decode_share = 0.75}};
  std::vector<std::uint32_t> bought;
  std::uint32_t at = 0;
  for (int step = 0; step < 20; ++step) {
    const open_prompt prompts[] = {{at, 1000}};
    bought.push_back(planner.share(decodes(8), prompts, plain)[0]);
    at += bought.back();
  }
  const lengths expected{24, 24, 24, 24, 24, 0,  0, 24, 0, 0,
                         0,  24, 0,  0,  0,  24, 0, 0,  0, 24};
  BOOST_TEST(bought == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(steps_without_prompts_save_for_short_ones) {
  step_planner planner{{.itl_target = 51ms, .decode_share = 0.75}};
  const open_prompt prompts[] = {{0, 24}};
  const auto next = [&] {
    return planner.share(decodes(8), prompts, plain)[0];
  };
  while (next() > 0)
    ;
  for (int step = 0; step < 8; ++step)
    planner.share(decodes(8), {}, plain);
  int chunks = 0; // of 24 ms: 12 were left, 8 + 3 times 6 are granted
  for (; next() > 0; ++chunks)
    ;
  BOOST_TEST(chunks == 3);
}

// What it comes to: at any length of context, any target and any share, the
// decodes keep their part of the time, and nobody starves.
BOOST_AUTO_TEST_CASE(decodes_keep_their_share_and_prompts_the_rest) {
  const cost_model costs{{.step = 8e-3,
                          .row = 6e-4,
                          .more_rows = 2e-4,
                          .sample = 1e-4,
                          .kv_read = 4e-6,
                          .kv_score = 3e-7}};
  for (const auto target : {5ms, 20ms, 50ms, 200ms})
    for (const auto share : {0.3, 0.75, 0.9})
      for (const auto context : {0u, 2000u, 16'000u, 60'000u}) {
        step_planner planner{{.itl_target = target, .decode_share = share}};
        const auto victims = decodes(8, 200);
        const auto alone = costs.predict(victims);
        instant all{0};
        std::uint32_t positions = 0;
        constexpr int steps = 3000;
        for (int step = 0; step < steps; ++step) {
          const open_prompt prompts[] = {{context, 10'000}};
          const auto length = planner.share(victims, prompts, costs)[0];
          positions += length;
          auto shape = victims;
          if (length > 0)
            shape += shape_of_run(context, length, false);
          all += costs.predict(shape);
        }
        const auto kept = std::chrono::duration<double>{alone * steps} / all;
        BOOST_TEST_CONTEXT(target.count()
                           << " ms, " << share << ", " << context) {
          BOOST_TEST(kept > share - 0.02);
          // Where it grants more than steps can hold, the target holds.
          BOOST_TEST((share < 0.5 || kept < share + 0.02));
          BOOST_TEST(positions > 0u);
        }
      }
}

// Where a position's reading alone is past the target, chunks are twice as long
// as one: at least half of the time is spent on more than reading.
BOOST_AUTO_TEST_CASE(chunks_past_the_target_are_worth_their_reading) {
  const cost_model costs{{.step = 10e-3,
                          .row = 1e-3,
                          .sample = 0,
                          .kv_read = 4e-6,
                          .kv_score = 4e-7}};
  step_planner planner{{.itl_target = 50ms, .decode_share = 0.75}};
  const open_prompt prompts[] = {{16'000, 5000}};
  std::uint32_t longest = 0;
  for (int step = 0; step < 200; ++step)
    longest = std::max(longest, planner.share(decodes(8), prompts, costs)[0]);
  BOOST_TEST(longest >= 10u); // 64 ms for reading, 7.4 for a position
  BOOST_TEST(longest <= 12u);
}

// A short prompt comes as soon as the last one is through. The long one's turn
// is kept until it is paid for, however dear.
BOOST_AUTO_TEST_CASE(short_prompts_do_not_starve_a_long_one) {
  const cost_model costs{{.step = 10e-3,
                          .row = 1e-3,
                          .sample = 0,
                          .kv_read = 4e-6,
                          .kv_score = 4e-7}};
  for (const auto target : {10ms, 50ms}) {
    step_planner planner{{.itl_target = target, .decode_share = 0.75}};
    std::uint32_t at = 16'000;
    std::uint32_t rest = 30;
    std::uint32_t short_ones = 0;
    for (int step = 0; step < 2000; ++step) {
      const open_prompt prompts[] = {{at, 10'000}, {30 - rest, rest}};
      const auto got = planner.share(decodes(8), prompts, costs);
      at += got[0];
      rest -= got[1];
      if (rest == 0) {
        rest = 30;
        ++short_ones;
      }
    }
    // 12 s are granted; three of four chunks are the short ones', of 30 ms.
    BOOST_TEST(at > 16'000u + 300u);
    BOOST_TEST(short_ones > 50u);
  }
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
  step_planner planner{{.itl_target = 60ms, .decode_share = 0.3}};
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
                             .decode_share = 0.01 * (1 + below(99))};
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

// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/simulation.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

#include "tools/simulate/report.hpp"

using namespace std::chrono_literals;
using namespace sluice::simulate;
namespace policy = sluice::policy;

namespace {

// 10 ms a step and 1 ms a row; one plan at a time, so that all adds up by hand.
simulation_settings by_hand() {
  simulation_settings settings;
  auto& lane = settings.lane;
  lane.capacity = {.context_tokens = 4096,
                   .pool_pages = 1000,
                   .page_tokens = 16,
                   .max_sequences = 8,
                   .max_waiting = 100'000};
  lane.limits = {
      .context_tokens = 4096, .step_tokens = 512, .pipeline_depth = 1};
  lane.machine = {.step = 10e-3,
                  .row = 1e-3,
                  .more_rows = 0,
                  .sample = 0,
                  .kv_read = 0,
                  .kv_score = 0};
  lane.limits.costs = lane.machine;
  return settings;
}

tally run(const simulation_settings& settings, std::vector<arrival> trace) {
  return simulate_all(settings, recorded_arrivals(std::move(trace)));
}

arrival asking(instant when, std::uint32_t prompt, std::uint32_t output) {
  return {.when = when, .prompt_tokens = prompt, .output_tokens = output};
}

const auto rounding = boost::test_tools::tolerance(0.011); // a bucket's width

} // namespace

BOOST_AUTO_TEST_SUITE(simulation)

BOOST_AUTO_TEST_CASE(one_request_takes_its_steps) {
  const auto counts = run(by_hand(), {asking(5ms, 4, 3)});
  BOOST_TEST(counts.finished == 1u);
  BOOST_TEST(counts.steps == 3u);
  BOOST_TEST(counts.computed_rows == 6u);
  BOOST_TEST(counts.output_tokens == 3u);
  BOOST_TEST(counts.first_token.mean_seconds() == 0.014, rounding); // 10 + 4
  BOOST_TEST(counts.between_tokens.mean_seconds() == 0.011, rounding);
  BOOST_TEST(counts.whole.mean_seconds() == 0.036, rounding);
  BOOST_TEST((counts.end == 41ms));
  BOOST_TEST((counts.busy == 36ms));
}

// a: prompt 0-14, then with b's prompt 14-29, both 29-41; b alone 41-52.
BOOST_AUTO_TEST_CASE(two_requests_share_steps) {
  const auto counts = run(by_hand(), {asking(0ms, 4, 3), asking(0ms, 4, 3)});
  BOOST_TEST(counts.steps == 4u);
  BOOST_TEST((counts.end == 52ms));
  BOOST_TEST(counts.first_token.mean_seconds() == (0.014 + 0.029) / 2,
             rounding);
  BOOST_TEST(counts.between_tokens.mean_seconds() ==
                 (0.015 + 0.012 + 0.012 + 0.011) / 4,
             rounding);
  BOOST_TEST(counts.whole.mean_seconds() == (0.041 + 0.052) / 2, rounding);
}

BOOST_AUTO_TEST_CASE(overhead_comes_with_every_step) {
  auto settings = by_hand();
  settings.lane.overhead = 1ms;
  const auto counts = run(settings, {asking(0ms, 4, 3)});
  BOOST_TEST((counts.end == 39ms));
  BOOST_TEST((counts.busy == 36ms));
}

BOOST_AUTO_TEST_CASE(lanes_share_requests) {
  auto settings = by_hand();
  settings.lanes = 2;
  const auto counts = run(settings, {asking(0ms, 4, 3), asking(0ms, 4, 3)});
  BOOST_TEST((counts.end == 36ms)); // side by side
  BOOST_TEST(counts.steps == 6u);
}

BOOST_AUTO_TEST_CASE(counts_what_keeps_the_goal) {
  auto settings = by_hand();
  settings.goal = {.first_token = 20ms, .between_tokens = 14ms};
  const auto counts = run(settings, {asking(0ms, 4, 3), asking(0ms, 4, 3)});
  BOOST_TEST(counts.finished == 2u);
  BOOST_TEST(counts.good == 1u); // the second came 29 ms after its arrival
  const auto report = as_json(settings, counts, 1s);
  BOOST_TEST(report.at("request_throughput").get<double>() == 2 / 0.052,
             rounding);
  BOOST_TEST(report.at("request_goodput").get<double>() == 1 / 0.052, rounding);
  BOOST_TEST(report.at("busy_part").get<double>() == 1.0, rounding);
  BOOST_TEST(as_text(report).find("median_ttft_ms") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(refuses_as_admission_does) {
  auto settings = by_hand();
  settings.lane.capacity.max_sequences = 1;
  settings.lane.capacity.max_waiting = 1;
  const auto counts = run(settings, {asking(0ms, 4, 3), asking(0ms, 4, 3),
                                     asking(0ms, 4, 3), asking(0ms, 5000, 3)});
  BOOST_TEST(counts.offered == 4u);
  BOOST_TEST(counts.refused == 2u);
  BOOST_TEST(counts.finished == 2u);
}

BOOST_AUTO_TEST_CASE(shared_heads_are_computed_once) {
  auto settings = by_hand();
  settings.lane.prefix_cache = true;
  auto first = asking(0ms, 40, 1);
  first.prefix_tokens = 35; // two whole pages
  auto second = first;
  second.when = 1s;
  auto stranger = second;
  stranger.tenant = "other";
  const auto counts = run(settings, {first, second, stranger});
  BOOST_TEST(counts.cached_tokens == 32u);
  BOOST_TEST(counts.computed_rows == 40u + 8u + 40u);
}

// One sequence of one step at a time is a queue with random arrivals and a
// constant service of 11 ms: at half load the mean wait is
// 0.5 / (2 * (1 - 0.5)) * 11 ms (Pollaczek and Khinchine).
BOOST_AUTO_TEST_CASE(a_single_server_waits_as_theory_says) {
  auto settings = by_hand();
  settings.lane.capacity.max_sequences = 1;
  const auto counts =
      simulate_all(settings, random_arrivals({.requests = 100'000,
                                              .rate = 0.5 / 0.011,
                                              .prompt = {.mean = 1},
                                              .output = {.mean = 1},
                                              .seed = 4}));
  BOOST_TEST(counts.finished == 100'000u);
  BOOST_TEST(counts.first_token.mean_seconds() == 0.0165,
             boost::test_tools::tolerance(0.03));
}

BOOST_AUTO_TEST_CASE(a_target_protects_streams_from_a_long_prompt) {
  double worst[2];
  for (const bool with : {false, true}) {
    auto settings = by_hand();
    settings.lane.limits.itl_target = with ? instant{40ms} : instant{0};
    std::vector<arrival> trace;
    for (int i = 0; i < 4; ++i)
      trace.push_back(asking(0ms, 8, 400));
    trace.push_back(asking(1s, 3000, 4));
    const auto counts = run(settings, trace);
    BOOST_TEST(counts.finished == 5u);
    worst[with] = counts.between_tokens.percentile_seconds(100);
  }
  BOOST_TEST(worst[0] > 0.4);
  BOOST_TEST(worst[1] < 0.042);
}

BOOST_AUTO_TEST_CASE(a_short_pool_preempts_and_everybody_finishes) {
  auto settings = by_hand();
  settings.lane.capacity.pool_pages = 60;
  settings.lane.capacity.reserve = policy::reserve_rule::prompt;
  settings.lane.limits.pipeline_depth = 2;
  const auto counts = simulate_all(
      settings,
      random_arrivals({.requests = 300,
                       .rate = 4,
                       .prompt = {.mean = 60, .spread = 0.5, .most = 300},
                       .output = {.mean = 250, .spread = 0.5, .most = 600},
                       .seed = 1}));
  BOOST_TEST(counts.finished == 300u);
  BOOST_TEST(counts.preemptions > 0u);
  BOOST_TEST(counts.preemptions * 64 < counts.output_tokens);
}

// All policies together, under random settings: everybody comes to an end and
// every page comes back.
BOOST_AUTO_TEST_CASE(random_lanes_finish_everything_that_they_take) {
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    std::mt19937 random{seed};
    const auto below = [&](std::uint32_t n) {
      return static_cast<std::uint32_t>(random() % n);
    };
    auto lane = by_hand().lane;
    lane.capacity.context_tokens = lane.limits.context_tokens = 640;
    lane.capacity.pool_pages = 40 + below(80);
    lane.capacity.max_sequences = 1 + below(24);
    lane.capacity.max_waiting = 1 + below(60);
    lane.capacity.reserve = below(3) > 0 ? policy::reserve_rule::prompt
                                         : policy::reserve_rule::full;
    lane.capacity.tenants = {.max_waiting = below(20), .max_running = below(6)};
    lane.limits.step_tokens = 2 + below(128);
    lane.limits.pipeline_depth = 1 + below(3);
    lane.limits.itl_target = instant{below(60) * 1'000'000};
    lane.limits.costs = {}; // learned
    lane.least_progress = 1 + below(64);
    lane.prefix_cache = below(2) > 0;
    tally counts;
    simulated_lane one{lane, counts};
    auto next =
        random_arrivals({.requests = 120,
                         .rate = 0.5 + below(20),
                         .burst = below(2) * 5.0,
                         .prompt = {.mean = 60, .spread = 1, .most = 700},
                         .output = {.mean = 60, .spread = 1, .most = 500},
                         .tenants = 3,
                         .prefix_tokens = below(100),
                         .prefix_groups = 2,
                         .seed = seed});
    while (const auto asked = next()) {
      while (one.step_ends() && *one.step_ends() <= asked->when)
        one.step_done(*one.step_ends());
      one.offer(*asked, asked->when);
    }
    while (const auto end = one.step_ends()) {
      BOOST_REQUIRE(counts.steps < 1'000'000);
      one.step_done(*end);
    }
    BOOST_TEST_CONTEXT("seed " << seed) {
      BOOST_TEST(counts.finished + counts.refused == counts.offered);
      BOOST_TEST(one.load() == 0u);
      BOOST_TEST(one.free_pages() == lane.capacity.pool_pages);
    }
  }
}

BOOST_AUTO_TEST_CASE(pages_come_back) {
  tally counts;
  const auto settings = by_hand();
  simulated_lane lane{settings.lane, counts};
  lane.offer(asking(0ms, 20, 20), 0ms);
  BOOST_TEST(lane.free_pages() == 998u);
  while (const auto end = lane.step_ends())
    lane.step_done(*end);
  BOOST_TEST(lane.free_pages() == 1000u);
  BOOST_TEST(lane.load() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

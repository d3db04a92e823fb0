// SPDX-License-Identifier: Apache-2.0
#include <boost/test/unit_test.hpp>

#include <stdexcept>

#include "tools/simulate/bench_costs.hpp"
#include "tools/simulate/tally.hpp"

using namespace std::chrono_literals;
using namespace sluice::simulate;
using sluice::policy::cost_coefficients;
using sluice::policy::cost_model;
using sluice::policy::shape_of_run;
using sluice::policy::step_shape;

namespace {

constexpr cost_coefficients machine{.step = 20e-3,
                                    .row = 4e-4,
                                    .more_rows = 1e-4,
                                    .sample = 1e-4,
                                    .kv_read = 1e-6,
                                    .kv_score = 1e-7};

double seconds_of(const step_shape& shape) {
  return std::chrono::duration<double>{cost_model{machine}.predict(shape)}
      .count();
}

/// What the benchmark would have measured, with steps of 512 tokens.
nlohmann::json bench_of(std::uint32_t prompt, std::uint32_t batch) {
  const auto together = 512 / prompt;
  double prompts = 0;
  for (std::uint32_t done = 0; done < batch; done += together) {
    step_shape step;
    for (std::uint32_t i = done; i < std::min(batch, done + together); ++i)
      step += shape_of_run(0, prompt, true);
    prompts += seconds_of(step);
  }
  double decodes = 0;
  for (std::uint32_t i = 0; i < 32; ++i) {
    step_shape step;
    for (std::uint32_t k = 0; k < batch; ++k)
      step += shape_of_run(prompt + i, 1, true);
    decodes += seconds_of(step);
  }
  return {{"pp", prompt},
          {"tg", 32},
          {"b", batch},
          {"t_pp", prompts},
          {"t_tg", decodes}};
}

nlohmann::json report_of(std::uint32_t prompt) {
  nlohmann::json report{{"step_tokens", 512},
                        {"rows", nlohmann::json::array()}};
  for (const auto batch : {1u, 2u, 4u, 8u, 16u, 32u, 64u})
    report["rows"].push_back(bench_of(prompt, batch));
  return report;
}

void check_fit(const std::vector<nlohmann::json>& reports, double tolerance) {
  const cost_model fitted{fit_bench(reports)};
  for (const auto& shape :
       {shape_of_run(140, 1, true), shape_of_run(2000, 1, true),
        shape_of_run(0, 128, true), shape_of_run(0, 512, true)}) {
    const auto got =
        std::chrono::duration<double>{fitted.predict(shape)}.count();
    BOOST_TEST(got == seconds_of(shape),
               boost::test_tools::tolerance(tolerance));
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(simulated_costs)

BOOST_AUTO_TEST_CASE(benchmarks_give_the_costs) {
  check_fit({report_of(16), report_of(512)}, 0.02);
}

BOOST_AUTO_TEST_CASE(a_row_that_was_disturbed_bends_nothing) {
  auto disturbed = report_of(16);
  for (const auto* key : {"t_pp", "t_tg"}) {
    auto& time = disturbed["rows"][3][key];
    time = time.get<double>() * 3;
  }
  check_fit({disturbed, report_of(512)}, 0.04);
}

BOOST_AUTO_TEST_CASE(what_is_no_benchmark_is_refused) {
  for (const auto& report : {nlohmann::json{}, nlohmann::json{{"rows", 3}},
                             nlohmann::json{{"rows", {{{"pp", 128}}}}},
                             nlohmann::json{{"rows", nlohmann::json::array()}}})
    BOOST_CHECK_THROW(fit_bench({report}), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(percentiles_are_within_a_hundredth) {
  time_histogram times;
  for (int i = 1; i <= 1000; ++i)
    times.add(i * 1ms);
  BOOST_TEST(times.count() == 1000u);
  BOOST_TEST(times.mean_seconds() == 0.5005,
             boost::test_tools::tolerance(1e-9));
  struct row {
    double percent, expected;
  };
  for (const auto& [percent, expected] :
       {row{1, 0.01099}, row{50, 0.5005}, row{99, 0.99001}, row{100, 1.0}})
    BOOST_TEST(times.percentile_seconds(percent) == expected,
               boost::test_tools::tolerance(0.01));
  BOOST_TEST(time_histogram{}.percentile_seconds(50) == 0);
  time_histogram two;
  two.add(100ms);
  two.add(200ms);
  BOOST_TEST(two.percentile_seconds(75) == 0.175,
             boost::test_tools::tolerance(0.01));
  times.add(0ns);
  BOOST_TEST(times.percentile_seconds(0) == 1e-6);
}

BOOST_AUTO_TEST_CASE(goals_take_the_mean_gap_of_a_request) {
  tally counts;
  counts.goal = {.first_token = 100ms, .between_tokens = 10ms};
  counts.finish(50ms, 90ms, 5);   // 10 ms each: just good
  counts.finish(50ms, 91ms, 5);   // too slow
  counts.finish(101ms, 101ms, 1); // too late
  counts.finish(99ms, 99ms, 1);   // a single token has no gaps
  BOOST_TEST(counts.finished == 4u);
  BOOST_TEST(counts.good == 2u);
}

BOOST_AUTO_TEST_SUITE_END()

// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/cost_model.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using sluice::policy::cost_coefficients;
using sluice::policy::cost_model;
using sluice::policy::instant;
using sluice::policy::shape_of_run;
using sluice::policy::starting_costs;
using sluice::policy::step_shape;

namespace {

// About an 8B model of 4 bits on 16 cores.
constexpr cost_coefficients machine{.step = 60e-3,
                                    .row = 1e-3,
                                    .more_rows = 1e-3,
                                    .sample = 2e-4,
                                    .kv_read = 2e-6,
                                    .kv_score = 5e-7};

step_shape random_step(std::mt19937& random) {
  step_shape shape;
  const auto decodes = random() % 33;
  for (std::uint32_t i = 0; i < decodes; ++i)
    shape += shape_of_run(static_cast<std::uint32_t>(random() % 4000), 1, true);
  if (decodes == 0 || random() % 3 == 0)
    shape += shape_of_run(static_cast<std::uint32_t>(random() % 8000),
                          16 * (1 + static_cast<std::uint32_t>(random() % 32)),
                          false);
  return shape;
}

double error_of(const cost_model& model, const step_shape& shape) {
  const auto truth =
      static_cast<double>(cost_model{machine}.predict(shape).count());
  return std::abs(static_cast<double>(model.predict(shape).count()) - truth) /
         truth;
}

/// Mean relative error over steps that the model has not seen.
double mean_error(const cost_model& model) {
  std::mt19937 random{99};
  double sum = 0;
  for (int i = 0; i < 200; ++i)
    sum += error_of(model, random_step(random));
  return sum / 200;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cost_model_policy)

BOOST_AUTO_TEST_CASE(counts_rows_reads_and_scores_of_a_run) {
  struct row {
    std::uint32_t start, length;
    step_shape expected;
  };
  const row table[] = {
      {0, 1, {1, 1, 1, 1}},       // the first position sees itself
      {100, 1, {1, 1, 101, 101}}, // a decode
      {0, 4, {4, 1, 4, 10}},      // 1 + 2 + 3 + 4
      {16'000, 64, {64, 1, 16'064, 64 * 16'000 + 2080}},
  };
  for (const auto& [start, length, expected] : table)
    BOOST_TEST((shape_of_run(start, length, true) == expected));
  BOOST_TEST(shape_of_run(3, 2, false).sampled == 0u);
}

BOOST_AUTO_TEST_CASE(adds_up_the_terms) {
  const cost_model model{{.step = 1e-3,
                          .row = 1e-4,
                          .more_rows = 1e-5,
                          .sample = 1e-6,
                          .kv_read = 1e-7,
                          .kv_score = 1e-8}};
  struct row {
    step_shape shape;
    instant expected;
  };
  const row table[] = {
      {{}, 1ms},
      {{.rows = 10}, 2ms},
      {{.rows = 32}, 4200us},
      {{.rows = 42}, 5300us}, // ten past the knee
      {{.rows = 10, .sampled = 10, .kv_reads = 1000, .kv_scores = 2000},
       2130us},
  };
  for (const auto& [shape, expected] : table)
    BOOST_TEST(std::abs((model.predict(shape) - expected).count()) <= 2);
}

BOOST_AUTO_TEST_CASE(learns_a_machine_from_any_start) {
  const cost_coefficients starts[] = {{},
                                      starting_costs(4'500'000'000),
                                      {.step = 0,
                                       .row = 0,
                                       .more_rows = 0,
                                       .sample = 0,
                                       .kv_read = 0,
                                       .kv_score = 0},
                                      {.step = 10,
                                       .row = 1,
                                       .more_rows = 1,
                                       .sample = 1,
                                       .kv_read = 1e-3,
                                       .kv_score = 1e-3}};
  for (const auto& start : starts) {
    cost_model model{start};
    std::mt19937 random{1};
    for (int i = 0; i < 600; ++i) {
      const auto shape = random_step(random);
      model.observe(shape, cost_model{machine}.predict(shape));
    }
    BOOST_TEST(mean_error(model) < 0.05);
    BOOST_TEST(model.relative_error() < 0.05);
    BOOST_TEST(model.observed() == 600u);
  }
}

BOOST_AUTO_TEST_CASE(is_close_after_a_few_steps) {
  cost_model model{starting_costs(4'500'000'000)};
  std::mt19937 random{5};
  for (int i = 0; i < 20; ++i) {
    const auto shape = random_step(random);
    model.observe(shape, cost_model{machine}.predict(shape));
  }
  BOOST_TEST(mean_error(model) < 0.3);
}

BOOST_AUTO_TEST_CASE(stalls_and_noise_move_it_little) {
  cost_model model;
  std::mt19937 random{2};
  std::lognormal_distribution<double> noise{0, 0.15};
  for (int i = 0; i < 1500; ++i) {
    const auto shape = random_step(random);
    auto took =
        static_cast<double>(cost_model{machine}.predict(shape).count()) *
        noise(random);
    if (i % 50 == 49)
      took *= 40; // the machine was elsewhere
    model.observe(shape, instant{static_cast<std::int64_t>(took)});
  }
  BOOST_TEST(mean_error(model) < 0.2);
}

BOOST_AUTO_TEST_CASE(a_machine_that_becomes_slow_is_followed) {
  cost_model model{machine};
  std::mt19937 random{3};
  for (int i = 0; i < 2000; ++i) {
    const auto shape = random_step(random);
    model.observe(shape, 10 * cost_model{machine}.predict(shape));
  }
  const auto shape = shape_of_run(2000, 128, false);
  const auto ratio =
      static_cast<double>(model.predict(shape).count()) /
      static_cast<double>(cost_model{machine}.predict(shape).count());
  BOOST_TEST(ratio > 8.5);
  BOOST_TEST(ratio < 11.5);
}

BOOST_AUTO_TEST_CASE(an_hour_of_decodes_does_not_unlearn_prompts) {
  cost_model model;
  std::mt19937 random{4};
  for (int i = 0; i < 1000; ++i) {
    const auto shape = random_step(random);
    model.observe(shape, cost_model{machine}.predict(shape));
  }
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const auto shape = shape_of_run(i % 4000, 1, true);
    model.observe(shape, cost_model{machine}.predict(shape));
  }
  BOOST_TEST(error_of(model, shape_of_run(2000, 256, false)) < 0.15);
}

BOOST_AUTO_TEST_CASE(degenerate_data_leave_finite_coefficients_above_zero) {
  struct row {
    const char* what;
    step_shape shape;
    instant took;
  };
  const row table[] = {
      {"the same step for ever", shape_of_run(10, 1, true), 5ms},
      {"nothing at all", {}, 1ms},
      {"no time", shape_of_run(10, 1, true), 0ns},
      {"time runs backwards", shape_of_run(10, 1, true), -5ms},
      {"one nanosecond", shape_of_run(10, 1, true), 1ns},
      {"a day", shape_of_run(10, 1, true), 24h},
      {"huge counts", {~0u, ~0u, ~0ull, ~0ull}, 1s},
  };
  for (const auto& [what, shape, took] : table) {
    cost_model model;
    for (int i = 0; i < 500; ++i)
      model.observe(shape, took);
    BOOST_TEST_CONTEXT(what) {
      const auto& c = model.coefficients();
      for (const auto value :
           {c.step, c.row, c.more_rows, c.sample, c.kv_read, c.kv_score})
        BOOST_TEST((std::isfinite(value) && value >= 0));
      BOOST_TEST(model.predict(shape).count() >= 0);
      BOOST_TEST(model.predict({}).count() >= 0);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

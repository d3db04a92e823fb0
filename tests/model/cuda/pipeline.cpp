// SPDX-License-Identifier: Apache-2.0
// The next step is started before the last one's result is read, and nobody
// can tell from the answers.
#include "model/cuda/cuda_device.hpp"
#include "tests/model/cuda/pipelined_runs.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace sluice;
using namespace sluice::test;

namespace {

device_maker on_gpu(bool graphs) {
  return [graphs] {
    return std::make_unique<cuda_device>(cuda_options{.graphs = graphs});
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_pipeline)

BOOST_AUTO_TEST_CASE(results_are_those_of_one_step_at_a_time) {
  const auto script = random_script(tiny_model({}), {.seed = 1});
  const auto expected = run_one_by_one(script, on_gpu(false));
  expect_same(expected, run_pipelined(script, on_gpu(false)));
  expect_same(expected, run_pipelined(script, on_gpu(true)));
  const auto narrow = [] { // more pages are swapped than its staging holds
    return std::make_unique<cuda_device>(cuda_options{.staging_bytes = 1});
  };
  expect_same(expected, run_pipelined(script, narrow));
}

// Each step gives the tables and counts of sequences to others.
BOOST_AUTO_TEST_CASE(so_they_are_where_little_is_kept_on_the_device) {
  for (const std::uint32_t seed : {11u, 12u}) {
    auto script = random_script(
        tiny_model({}), {.seed = seed, .together = 3, .penalties = seed > 11});
    const auto expected = run_one_by_one(script, on_gpu(false));
    script.options.kept_tables = 3;
    script.options.kept_counts = seed - 10;
    expect_same(expected, run_one_by_one(script, on_gpu(true)));
    expect_same(expected, run_pipelined(script, on_gpu(true)));
  }
}

// A token that is not there fails the rows that were to go on with it.
BOOST_AUTO_TEST_CASE(rows_that_wait_for_no_token_fail_as_they_would_alone) {
  const auto script = random_script(poisoned_model(17), {.seed = 5});
  const auto expected = run_one_by_one(script, on_gpu(true));
  const auto fails = [](const messages::StepResultT& result) {
    for (const auto& row : result.rows)
      if (row->code == messages::ErrorCode::numeric_failure)
        return true;
    return false;
  };
  BOOST_TEST(std::ranges::any_of(expected, fails));
  expect_same(expected, run_pipelined(script, on_gpu(true)));
}

BOOST_AUTO_TEST_SUITE_END()

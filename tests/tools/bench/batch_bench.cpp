// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/batch_bench.hpp"

#include <boost/test/unit_test.hpp>

#include "kernels/check.hpp"

using namespace sluice;
using namespace sluice::bench;

namespace {

batch_plan small_plan() {
  return {.model = SLUICE_SOURCE_DIR "/tests/models/pebble-q8_0.gguf",
          .threads = 1,
          .prompt_tokens = 20,
          .decode_tokens = 3,
          .step_tokens = 16, // prompts are cut, and steps hold parts of two
          .batches = {3, 1},
          .rounds = 2};
}

batch_report measure(const batch_plan& plan) {
  return measure_batches(plan, {}, [](const std::string&) {});
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench_batch)

BOOST_AUTO_TEST_CASE(rows_follow_the_batches) {
  const auto report = measure(small_plan());
  BOOST_TEST(report.where.threads == 1u);
  BOOST_TEST(report.where.weight_bytes > 0u);
  BOOST_TEST(report.rows.size() == 2u);
  const auto& row = report.rows[0];
  BOOST_TEST(row.batch == 3u);
  BOOST_TEST(row.decode_tokens == 3u);
  BOOST_TEST(row.kv_tokens() == 69u);
  BOOST_TEST(row.prompt_speed() * row.prompt_seconds.median == 60,
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(row.decode_speed() * row.decode_seconds.median == 9,
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(row.total_speed() * row.total_seconds() == 69,
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(report.rows[1].batch == 1u);
}

BOOST_AUTO_TEST_CASE(time_that_is_up_leaves_whole_steps) {
  auto plan = small_plan();
  plan.seconds = 1e-9;
  const auto report = measure(plan);
  BOOST_TEST(report.rows[0].decode_tokens == 1u);
}

BOOST_AUTO_TEST_CASE(more_than_the_context_is_refused) {
  auto plan = small_plan();
  plan.prompt_tokens = 1 << 20;
  BOOST_CHECK_THROW(measure(plan), contract_violation);
}

BOOST_AUTO_TEST_CASE(a_shape_without_a_gpu_is_refused) {
  auto plan = small_plan();
  plan.model.clear();
  plan.shape = "llama-1b";
  BOOST_CHECK_THROW(measure(plan), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()

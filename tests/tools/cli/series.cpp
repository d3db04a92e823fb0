// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/series.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;
using namespace sluice::cli;

namespace {

messages::StatsT stats_of(
    std::initializer_list<std::tuple<const char*, const char*, double>> rows) {
  messages::StatsT stats;
  for (const auto& [name, labels, value] : rows) {
    auto metric = std::make_unique<messages::MetricT>();
    metric->name = name;
    metric->labels = labels;
    metric->value = value;
    stats.metrics.push_back(std::move(metric));
  }
  return stats;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cli_series)

BOOST_AUTO_TEST_CASE(labels_are_summed) {
  const auto stats =
      stats_of({{"a", "x=\"1\"", 2}, {"a", "x=\"2\"", 3}, {"ab", "", 50}});
  BOOST_TEST(series(stats, "a") == 5);
  BOOST_TEST(series(stats, "missing") == 0);
}

BOOST_AUTO_TEST_CASE(text_is_what_prometheus_reads) {
  BOOST_TEST(to_text(stats_of({{"a", "", 1.5}, {"b", "x=\"y\"", 2}})) ==
             "a 1.5\nb{x=\"y\"} 2\n");
}

BOOST_AUTO_TEST_CASE(activity_is_the_difference) {
  const auto before = stats_of({{"sluice_generated_tokens_total", "", 100},
                                {"sluice_step_seconds_sum", "", 1},
                                {"sluice_step_seconds_count", "", 10},
                                {"sluice_step_compute_seconds_count", "", 10}});
  const auto after = stats_of({{"sluice_generated_tokens_total", "", 300},
                               {"sluice_step_seconds_sum", "", 3},
                               {"sluice_step_seconds_count", "", 30},
                               {"sluice_step_compute_seconds_count", "", 30}});
  const auto recent = between(before, after, 4);
  BOOST_TEST(recent.generated_per_second == 50);
  BOOST_TEST(recent.steps_per_second == 5);
  BOOST_TEST(recent.step_seconds == 0.1);
  BOOST_TEST(recent.compute_seconds == 0);
  const auto idle = between(after, after, 4);
  BOOST_TEST(idle.step_seconds == 0);
}

BOOST_AUTO_TEST_SUITE_END()

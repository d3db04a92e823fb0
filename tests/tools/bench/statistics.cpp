// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/statistics.hpp"

#include <vector>

#include <boost/test/unit_test.hpp>

using namespace sluice::bench;
using values = std::vector<double>;

BOOST_AUTO_TEST_SUITE(bench_statistics)

BOOST_AUTO_TEST_CASE(percentiles_lie_between_ranks_as_numpys_do) {
  BOOST_TEST(percentile(values{4, 1, 3, 2}, 0) == 1);
  BOOST_TEST(percentile(values{4, 1, 3, 2}, 50) == 2.5);
  BOOST_TEST(percentile(values{4, 1, 3, 2}, 99) == 3.97,
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(percentile(values{4, 1, 3, 2}, 100) == 4);
  BOOST_TEST(percentile(values{7}, 99) == 7);
  BOOST_TEST(percentile(values{}, 50) == 0);
}

BOOST_AUTO_TEST_CASE(the_deviation_is_of_the_whole_population) {
  BOOST_TEST(deviation(values{2, 4, 4, 4, 5, 5, 7, 9}) == 2);
  BOOST_TEST(mean(values{1, 2, 6}) == 3);
  BOOST_TEST(deviation(values{}) == 0);
}

BOOST_AUTO_TEST_CASE(one_outlier_moves_neither_median_nor_mad) {
  const auto usual = summarize(values{10, 11, 12, 13, 14});
  const auto shaken = summarize(values{10, 11, 12, 13, 1400});
  BOOST_TEST(usual.median == 12);
  BOOST_TEST(usual.mad == 1);
  BOOST_TEST(shaken.median == usual.median);
  BOOST_TEST(shaken.mad == usual.mad);
  BOOST_TEST(shaken.max == 1400);
  BOOST_TEST(shaken.min == 10);
}

BOOST_AUTO_TEST_SUITE_END()

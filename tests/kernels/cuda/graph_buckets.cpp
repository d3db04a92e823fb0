// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/graph_buckets.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <utility>
#include <vector>

using namespace sluice::cuda;

BOOST_AUTO_TEST_SUITE(cuda_graph_buckets)

BOOST_AUTO_TEST_CASE(the_smallest_that_holds_the_rows) {
  const std::vector<std::pair<std::uint64_t, std::uint32_t>> table{
      {1, 1},    {2, 2},     {3, 4},     {4, 4},    {5, 8},   {9, 16},
      {17, 24},  {25, 32},   {33, 48},   {49, 64},  {64, 64}, {65, 96},
      {97, 128}, {129, 192}, {193, 256}, {256, 256}};
  for (const auto& [rows, bucket] : table)
    BOOST_TEST(graph_bucket(rows).value_or(0) == bucket);
}

BOOST_AUTO_TEST_CASE(none_for_no_rows_and_for_too_many) {
  BOOST_TEST(!graph_bucket(0));
  BOOST_TEST(!graph_bucket(257));
  BOOST_TEST(!graph_bucket(std::numeric_limits<std::uint64_t>::max()));
}

BOOST_AUTO_TEST_CASE(only_what_can_be_needed_is_recorded) {
  const std::vector<std::pair<std::uint64_t, std::size_t>> table{
      {0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 3}, {100, 11}, {256, 13}, {9999, 13}};
  for (const auto& [most, count] : table) {
    BOOST_TEST(graph_buckets_up_to(most).size() == count);
    for (std::uint64_t rows = 1; rows <= most && rows <= 256; ++rows)
      BOOST_TEST(graph_bucket(rows).value() <=
                 graph_buckets_up_to(most).back());
  }
}

BOOST_AUTO_TEST_SUITE_END()

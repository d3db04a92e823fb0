// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/score_windows.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice::cli;

BOOST_AUTO_TEST_SUITE(cli_score_windows)

BOOST_AUTO_TEST_CASE(each_token_counts_in_the_first_window_that_holds_it) {
  struct row {
    std::size_t tokens, window, stride;
    std::vector<score_window> expected;
  };
  const row table[] = {
      {5, 8, 4, {{0, 5, 1}}},
      {8, 8, 4, {{0, 8, 1}}},
      {10, 8, 4, {{0, 8, 1}, {4, 10, 4}}},
      {12, 8, 4, {{0, 8, 1}, {4, 12, 4}}},
      {13, 8, 4, {{0, 8, 1}, {4, 12, 4}, {8, 13, 4}}},
      {10, 8, 1, {{0, 8, 1}, {1, 9, 7}, {2, 10, 7}}},
      {0, 8, 4, {}},
      {1, 8, 4, {}}, // nothing comes before it
      // Windows that do not overlap: each loses its first token.
      {10, 4, 4, {{0, 4, 1}, {4, 8, 1}, {8, 10, 1}}},
      {9, 4, 4, {{0, 4, 1}, {4, 8, 1}}},
  };
  for (const auto& [tokens, window, stride, expected] : table) {
    BOOST_TEST_CONTEXT(tokens << ", " << window << ", " << stride) {
      BOOST_CHECK(cut_windows(tokens, window, stride) == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_token_but_the_first_counts_once) {
  for (const std::size_t tokens : {2, 7, 50, 513})
    for (const std::size_t window : {5, 16, 512})
      for (std::size_t stride = 1; stride < window; stride += 3) {
        std::size_t next = 1;
        for (const auto& w : cut_windows(tokens, window, stride)) {
          BOOST_TEST(w.begin + w.score_from == next);
          BOOST_TEST(w.end - w.begin <= window);
          next = w.end;
        }
        BOOST_TEST(next == tokens);
      }
}

BOOST_AUTO_TEST_SUITE_END()

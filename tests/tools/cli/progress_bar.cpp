// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/progress_bar.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice::cli;
using seconds = std::chrono::duration<double>;

BOOST_AUTO_TEST_SUITE(cli_progress_bar)

BOOST_AUTO_TEST_CASE(lines_say_how_far_how_fast_how_long) {
  const std::pair<progress, const char*> rows[] = {
      {{"rows", 0, 500, 0, seconds{0}, false},
       "[>                                     ] 0/500 rows  0%"},
      {{"rows", 120, 500, 0, seconds{10}, false},
       "[=====>                 ] 120/500 rows  24%  12.0/s  0:32 left"},
      {{"rows", 500, 500, 0, seconds{10}, false},
       "[============================] 500/500 rows  100%  50.0/s"},
      {{"rows", 600, 500, 0, seconds{10}, false},
       "[============================] 600/500 rows  100%  60.0/s"},
      {{"rows", 7, 0, 0, seconds{2}, false}, "7 rows  3.5/s"},
      {{"weights", 1 << 20, 4 << 20, 0, seconds{1}, true},
       "[==>       ] 1.0/4.0 MiB weights  25%  1.0 MiB/s  0:03 left"},
  };
  for (const auto& [state, line] : rows) {
    const auto found = format_progress(state, 62);
    BOOST_TEST(found.size() <= 62u);
    BOOST_TEST(found.substr(found.find(']') + 1) ==
               std::string{line}.substr(std::string{line}.find(']') + 1));
  }
}

BOOST_AUTO_TEST_CASE(the_bar_fills_with_the_work) {
  const auto filled = [](std::uint64_t done) {
    const auto line = format_progress({"x", done, 100, 0, seconds{0}}, 80);
    return std::count(line.begin(), line.end(), '=');
  };
  BOOST_TEST(filled(0) == 0);
  BOOST_TEST(filled(50) == 19);
  BOOST_TEST(filled(100) == 38);
}

BOOST_AUTO_TEST_CASE(earlier_work_is_not_in_the_rate) {
  const auto line =
      format_progress({"rows", 300, 500, 200, seconds{10}, false}, 80);
  BOOST_TEST(line.find("10.0/s  0:20 left") != std::string::npos, line);
}

BOOST_AUTO_TEST_CASE(narrow_terminals_get_less) {
  for (unsigned width = 0; width < 100; ++width)
    BOOST_TEST(
        format_progress({"rows", 120, 500, 0, seconds{10}}, width).size() <=
        width);
  BOOST_TEST(format_progress({"rows", 120, 500, 0, seconds{10}}, 40) ==
             "120/500 rows  24%  12.0/s  0:32 left");
}

BOOST_AUTO_TEST_CASE(times_are_readable) {
  const std::pair<double, const char*> rows[] = {
      {0, "0:00"},       {0.2, "0:01"},       {7, "0:07"},
      {751, "12:31"},    {3599.5, "1:00:00"}, {11109, "3:05:09"},
      {1e18, "99:59:59"}};
  for (const auto& [time, text] : rows)
    BOOST_TEST(format_time(seconds{time}) == text);
}

BOOST_AUTO_TEST_SUITE_END()

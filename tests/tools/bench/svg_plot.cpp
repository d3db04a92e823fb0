// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/svg_plot.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice::bench;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1))
    ++found;
  return found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(bench_svg_plot)

BOOST_AUTO_TEST_CASE(bars_are_as_long_as_their_parts) {
  const auto svg = draw_bars(
      {"Title <1>", "a & b"},
      {{"half", 0.5, "of x"}, {"over", 1.2, "of y"}, {"full", 1, ""}});
  BOOST_TEST(svg.find("<svg xmlns=") == 0u);
  BOOST_TEST(svg.find("Title &lt;1&gt;") != std::string::npos);
  BOOST_TEST(svg.find("a &amp; b") != std::string::npos);
  BOOST_TEST(svg.find("50 %  of x") != std::string::npos);
  BOOST_TEST(svg.find("120 %  of y") != std::string::npos);
  BOOST_TEST(count(svg, "width=\"200.0\"") == 1u);
  BOOST_TEST(count(svg, "width=\"400.0\"") == 2u); // drawn up to 100 %
  BOOST_TEST(count(svg, "<svg") == count(svg, "</svg>"));
}

BOOST_AUTO_TEST_CASE(lines_have_a_dot_a_point_and_a_name) {
  const auto svg = draw_lines({"t", "d"}, {"sequences", "tokens/s"},
                              {{"decode", {{1, 60}, {8, 300}, {64, 800}}},
                               {"prompt", {{1, 500}, {64, 600}}}});
  BOOST_TEST(count(svg, "<circle") == 5u);
  BOOST_TEST(count(svg, "<polyline") == 2u);
  for (const char* text : {">decode<", ">prompt<", ">sequences<", ">64<"})
    BOOST_TEST(svg.find(text) != std::string::npos, text);
  BOOST_TEST(svg.find("nan") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_point_or_none_can_be_drawn) {
  for (const auto& lines : {std::vector<line_series>{},
                            {{"one", {{4, 2}}}},
                            {{"zero", {{1, 0}}}}}) {
    const auto svg = draw_lines({"t", "d"}, {"x", "y"}, lines);
    BOOST_TEST(svg.find("nan") == std::string::npos);
    BOOST_TEST(svg.find("inf") == std::string::npos);
  }
  BOOST_TEST(draw_bars({"t", "d"}, {}).find("</svg>") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

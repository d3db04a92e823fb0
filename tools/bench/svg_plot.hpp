// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sluice::bench {

/// One line of text above a plot and one below that.
struct plot_title {
  std::string text;
  std::string details;
};

/// A value between 0 and 1 as a horizontal bar.
struct bar {
  std::string label;
  double part = 0;  // drawn up to 1; the number is printed as it is
  std::string note; // behind the number
};

/// A self-contained SVG of horizontal bars.
std::string draw_bars(const plot_title& title, const std::vector<bar>& bars);

/// Points of one line, x ascending.
struct line_series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// Names of the axes.
struct plot_axes {
  std::string x;
  std::string y;
};

/// A self-contained SVG of lines over a logarithmic x axis (powers of two) and
/// a y axis from 0.
/// @param lines  at most eight are told apart by colour; x > 0.
std::string draw_lines(const plot_title& title, const plot_axes& axes,
                       const std::vector<line_series>& lines);

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/svg_plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace sluice::bench {
namespace {

constexpr int width = 860;
constexpr int header = 64;
constexpr std::array colours{"#1f77b4", "#d62728", "#2ca02c", "#9467bd",
                             "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f"};

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    default:
      out += c;
    }
  return out;
}

std::string label(double x, double y, const std::string& text,
                  const char* style = "") {
  return format("<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, style) + escaped(text) +
         "</text>\n";
}

std::string start(int height, const plot_title& title) {
  return format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
                "height=\"%d\" viewBox=\"0 0 %d %d\" "
                "font-family=\"sans-serif\" font-size=\"12\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                width, height, width, height) +
         label(16, 26, title.text, " font-size=\"16\" font-weight=\"bold\"") +
         label(16, 46, title.details, " fill=\"#555\"");
}

std::string line_between(double x1, double y1, double x2, double y2,
                         const char* colour = "#ddd") {
  return format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                "stroke=\"%s\"/>\n",
                x1, y1, x2, y2, colour);
}

/// The plane of a line plot: values to pixels.
struct plane {
  double left = 70, right = width - 170, top = header + 10, bottom = 420;
  double first_x = 1, last_x = 2, last_y = 1;

  double x(double value) const {
    const auto part = std::log(value / first_x) / std::log(last_x / first_x);
    return left + part * (right - left);
  }
  double y(double value) const {
    return bottom - value / last_y * (bottom - top);
  }
};

/// 1, 2 or 5 times a power of ten, so that there are at most six steps.
double step_of(double most) {
  const auto power = std::pow(10, std::floor(std::log10(most / 5)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (most / (factor * power) <= 6)
      return factor * power;
  return 10 * power;
}

plane plane_of(const std::vector<line_series>& lines) {
  plane area;
  area.first_x = 1e300;
  area.last_x = area.last_y = 0;
  for (const auto& line : lines)
    for (const auto& [x, y] : line.points) {
      area.first_x = std::min(area.first_x, x);
      area.last_x = std::max(area.last_x, x);
      area.last_y = std::max(area.last_y, y);
    }
  if (area.last_x <= area.first_x)
    area.first_x = area.last_x > 0 ? area.last_x / 2 : 0.5;
  if (area.last_x <= 0)
    area.last_x = 1;
  if (area.last_y <= 0)
    area.last_y = 1;
  return area;
}

std::string grid(const plane& area, const plot_axes& axes) {
  std::string out;
  const auto step = step_of(area.last_y);
  for (double y = 0; y <= area.last_y * 1.0001; y += step)
    out += line_between(area.left, area.y(y), area.right, area.y(y)) +
           label(area.left - 6, area.y(y) + 4, format("%g", y),
                 " text-anchor=\"end\"");
  for (double x = std::exp2(std::ceil(std::log2(area.first_x) - 1e-9));
       x <= area.last_x * 1.0001; x *= 2)
    out += line_between(area.x(x), area.top, area.x(x), area.bottom) +
           label(area.x(x), area.bottom + 18, format("%g", x),
                 " text-anchor=\"middle\"");
  return out +
         label((area.left + area.right) / 2, area.bottom + 40, axes.x,
               " text-anchor=\"middle\"") +
         label(16, area.top - 6, axes.y, " fill=\"#555\"");
}

std::string drawn(const line_series& line, const plane& area,
                  const char* colour) {
  std::string path, dots;
  for (const auto& [x, y] : line.points) {
    path += format("%.1f,%.1f ", area.x(x), area.y(y));
    dots += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
                   area.x(x), area.y(y), colour);
  }
  return "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" +
         std::string{colour} + "\" points=\"" + path + "\"/>\n" + dots;
}

} // namespace

std::string draw_bars(const plot_title& title, const std::vector<bar>& bars) {
  constexpr int row = 20, left = 330, right = width - 130;
  const int bottom = header + row * static_cast<int>(bars.size());
  auto out = start(bottom + 40, title);
  for (int tenth = 0; tenth <= 10; tenth += 2) {
    const auto x = left + (right - left) * tenth / 10.0;
    out += line_between(x, header, x, bottom) +
           label(x, bottom + 18, format("%d %%", tenth * 10),
                 " text-anchor=\"middle\"");
  }
  int y = header;
  for (const auto& bar : bars) {
    const auto length = std::clamp(bar.part, 0.0, 1.0) * (right - left);
    out +=
        label(left - 8, y + 14, bar.label, " text-anchor=\"end\"") +
        format("<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" "
               "fill=\"%s\"/>\n",
               left, y + 3, length, row - 6, colours[0]) +
        label(left + length + 6, y + 14,
              format("%.0f %%  ", bar.part * 100) + bar.note, " fill=\"#333\"");
    y += row;
  }
  return out + "</svg>\n";
}

std::string draw_lines(const plot_title& title, const plot_axes& axes,
                       const std::vector<line_series>& lines) {
  const auto area = plane_of(lines);
  auto out =
      start(static_cast<int>(area.bottom) + 60, title) + grid(area, axes);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const char* colour = colours[i % colours.size()];
    const auto y = area.top + 10 + 18 * static_cast<double>(i);
    out += drawn(lines[i], area, colour) +
           format("<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"4\" "
                  "fill=\"%s\"/>\n",
                  area.right + 16, y - 6, colour) +
           label(area.right + 34, y, lines[i].name);
  }
  return out + "</svg>\n";
}

} // namespace sluice::bench

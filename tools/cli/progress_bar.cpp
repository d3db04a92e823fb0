// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/progress_bar.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <sys/ioctl.h>
#include <unistd.h>

namespace sluice::cli {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};
constexpr unsigned usual_width = 80;
constexpr unsigned narrowest_bar = 8;
constexpr unsigned widest_bar = 40;
constexpr double mebibyte = 1 << 20;

std::string decimal(double number, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

std::string amount(const progress& state, std::uint64_t number) {
  return state.bytes ? decimal(static_cast<double>(number) / mebibyte, 1)
                     : std::to_string(number);
}

std::string amounts(const progress& state) {
  auto text = amount(state, state.done);
  if (state.total > 0)
    text += "/" + amount(state, state.total);
  return text + (state.bytes ? " MiB " : " ") + std::string{state.label};
}

double rate_of(const progress& state) {
  const auto fresh = state.done - std::min(state.done, state.done_before);
  const auto seconds = state.elapsed.count();
  return seconds > 0 ? static_cast<double>(fresh) / seconds : 0;
}

std::string rate_and_rest(const progress& state) {
  const auto rate = rate_of(state);
  if (rate <= 0)
    return {};
  auto text = "  " + decimal(state.bytes ? rate / mebibyte : rate, 1) +
              (state.bytes ? " MiB/s" : "/s");
  if (state.total > state.done) {
    const auto left = static_cast<double>(state.total - state.done) / rate;
    text += "  " + format_time(std::chrono::duration<double>{left}) + " left";
  }
  return text;
}

std::string bar(double part, unsigned columns) {
  const auto inner = columns - 2;
  const auto filled = static_cast<unsigned>(part * inner);
  std::string line(inner, ' ');
  std::fill_n(line.begin(), filled, '=');
  if (filled < inner)
    line[filled] = '>';
  return "[" + line + "]";
}

unsigned terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return usual_width;
}

} // namespace

std::string format_progress(const progress& state, unsigned width) {
  auto text = amounts(state);
  if (state.total > 0) {
    const auto part = std::min(1.0, static_cast<double>(state.done) /
                                        static_cast<double>(state.total));
    text += "  " + std::to_string(static_cast<int>(part * 100)) + "%" +
            rate_and_rest(state);
    if (width >= text.size() + 1 + narrowest_bar) {
      const auto room = static_cast<unsigned>(width - text.size() - 1);
      text = bar(part, std::min(widest_bar, room)) + " " + text;
    }
  } else {
    text += rate_and_rest(state);
  }
  return text.substr(0, width);
}

std::string format_time(std::chrono::duration<double> time) {
  constexpr double longest = 359'999; // 99:59:59
  const auto seconds =
      static_cast<unsigned>(std::clamp(std::ceil(time.count()), 0.0, longest));
  char text[32];
  if (seconds >= 3600)
    std::snprintf(text, sizeof text, "%u:%02u:%02u", seconds / 3600,
                  seconds / 60 % 60, seconds % 60);
  else
    std::snprintf(text, sizeof text, "%u:%02u", seconds / 60, seconds % 60);
  return text;
}

progress_bar::progress_bar(std::string_view label, bool bytes)
    : label_{label}, bytes_{bytes}, visible_{isatty(STDERR_FILENO) == 1} {}

progress_bar::~progress_bar() {
  clear();
}

void progress_bar::start_from(std::uint64_t done) {
  done_before_ = done;
}

void progress_bar::update(std::uint64_t done, std::uint64_t total) {
  const auto now = clock::now();
  if (done == 0)
    began_ = now; // weights that are read and then sent begin twice
  if (!visible_ || now - drawn_at_ < redraw_interval)
    return;
  drawn_at_ = now;
  drawn_ = true;
  // One column stays free: a full line would wrap on some terminals.
  const auto line =
      format_progress({label_, done, total, done_before_, now - began_, bytes_},
                      terminal_width() - 1);
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
}

void progress_bar::clear() {
  if (!drawn_)
    return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

} // namespace sluice::cli

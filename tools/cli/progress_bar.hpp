// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::cli {

/// How far something is.
struct progress {
  std::string_view label;        // "rows"
  std::uint64_t done = 0;        // all in all
  std::uint64_t total = 0;       // 0: unknown
  std::uint64_t done_before = 0; // of `done`, without this run: not in the rate
  std::chrono::duration<double> elapsed{0};
  bool bytes = false; // print amounts as MiB
};

/// One line of at most @p width columns: bar, amounts, rate, time left.
///   [=====>        ] 120/500 rows  24%  12.3/s  0:31 left
std::string format_progress(const progress& state, unsigned width);

/// "0:07", "12:31", "3:05:09".
std::string format_time(std::chrono::duration<double> time);

/// Draws one line again and again on stderr, at most ten times a second, only
/// if that is a terminal; gone when destroyed.
class progress_bar {
public:
  /// @param label  unit of what is counted; must outlive the bar.
  explicit progress_bar(std::string_view label, bool bytes = false);
  ~progress_bar();
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;

  /// Leaves out of the rate what an earlier run did.
  void start_from(std::uint64_t done);

  void update(std::uint64_t done, std::uint64_t total);

  /// Removes the line, e.g. before other output.
  void clear();

private:
  using clock = std::chrono::steady_clock;

  std::string_view label_;
  bool bytes_;
  bool visible_; // stderr is a terminal
  bool drawn_ = false;
  std::uint64_t done_before_ = 0;
  clock::time_point began_ = clock::now();
  clock::time_point drawn_at_{};
};

} // namespace sluice::cli

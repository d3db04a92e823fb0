// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice::cli {

/// One line of a text file.
struct text_line {
  std::uint64_t number = 0; // from 1
  std::string text;         // without its end, LF or CRLF
  bool too_long = false;    // the text is empty then
};

/// Reads lines from a file descriptor without ever waiting longer than told,
/// and without ever holding more than one line of the allowed length.
class line_reader {
public:
  enum class status { line, not_yet, end };

  /// @param fd          stays the caller's.
  /// @param max_bytes   of one line; longer ones are skipped and marked.
  line_reader(int fd, std::size_t max_bytes) : fd_{fd}, max_bytes_{max_bytes} {}

  /// The next line, if it is there or comes within @p wait.
  /// @throws std::system_error if the file cannot be read.
  status next(text_line& line, std::chrono::milliseconds wait);

private:
  bool take_line(text_line& line);
  void emit(text_line& line);
  bool fill(std::chrono::milliseconds wait);

  int fd_;
  std::size_t max_bytes_;
  std::string buffer_; // read and not yet looked at, from begin_ on
  std::size_t begin_ = 0;
  std::string pending_;   // the beginning of a line
  bool overflow_ = false; // the pending line is too long
  bool started_ = false;  // the pending line has had a byte
  bool at_end_ = false;
  std::uint64_t number_ = 0;
};

} // namespace sluice::cli

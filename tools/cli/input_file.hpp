// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace sluice::cli {

/// A file of rows, or stdin.
class input_file {
public:
  /// @param path  "-" for stdin.
  /// @throws client::bad_request if it cannot be opened.
  explicit input_file(const std::string& path);
  ~input_file();
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;

  int fd() const noexcept { return fd_; }

  /// How many rows there are; 0 for a pipe.
  std::uint64_t count_rows() const;

private:
  int fd_;
};

/// All of a file, or of stdin.
/// @param path  "-" for stdin.
/// @param flag  that named it, for the error.
/// @throws client::bad_request if it cannot be read.
std::string read_all(const std::string& path, const char* flag);

} // namespace sluice::cli

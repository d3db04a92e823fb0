// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tools/cli/json_output.hpp"

namespace sluice::cli {

/// Which rows an earlier run of `sluice map` has finished.
class finished_rows {
public:
  /// Takes one whole line of the output.
  /// @return false if it is not a result of map.
  bool add(std::string_view line);

  /// Whether the input row of this line was finished.
  /// @throws client::bad_request if the finished row had another custom_id:
  ///         the output belongs to another input.
  bool contains(std::uint64_t line, const json& custom_id) const;

  std::size_t size() const noexcept { return ids_.size(); }

private:
  std::unordered_map<std::uint64_t, std::string> ids_; // by line, as JSON
};

/// The output of `sluice map`: a file that is continued, or stdout.
/// What a killed run left of a last line is cut off.
class result_file {
public:
  /// @param path  "-" for stdout.
  /// @throws client::bad_request if the file is in use or holds something
  ///         else; output_error if it cannot be opened.
  explicit result_file(const std::string& path);
  ~result_file();
  result_file(const result_file&) = delete;
  result_file& operator=(const result_file&) = delete;

  const finished_rows& finished() const noexcept { return finished_; }

  /// Adds one line in one piece.
  /// @throws output_closed, output_error.
  void write(std::string line);

private:
  void read_back();

  std::string path_;
  int fd_;
  finished_rows finished_;
};

} // namespace sluice::cli

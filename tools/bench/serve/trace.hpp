// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <istream>
#include <stdexcept>
#include <string>
#include <vector>

namespace sluice::bench {

/// A trace cannot be used; what() names file and line.
class trace_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// One request of a trace.
struct trace_entry {
  double at = 0; // seconds
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
  std::vector<std::uint32_t> prompt; // of input_tokens ids; empty: random ones
};

/// Reads a trace, and moves its first request to 0 seconds.
/// - *.csv, with a line of names like BurstGPT's: `Timestamp` in seconds,
///   `Request tokens`, `Response tokens`; other columns are ignored. Rows
///   without a response are left out.
/// - else JSON lines like Mooncake's: `timestamp` in milliseconds,
///   `input_length`, `output_length`; or `prompt_tokens`, a list of ids.
/// @param most  entries to read; 0: all.
/// @throws trace_error, also for a trace without a request.
std::vector<trace_entry> read_trace(const std::string& path, std::size_t most);

// The two formats; `name` is for messages.
std::vector<trace_entry>
parse_csv_trace(std::istream& in, const std::string& name, std::size_t most);
std::vector<trace_entry>
parse_json_trace(std::istream& in, const std::string& name, std::size_t most);

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace sluice::config {

/// Where an option's value lives, by type.
using field_ref = std::variant<bool*, std::uint32_t*, byte_size*,
                               std::chrono::milliseconds*, std::string*>;

/// Smallest and largest value of a number, size (bytes) or duration (ms).
struct value_range {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};

/// One option: its name, what it means, what it may be, where it lives.
struct option {
  std::string_view key;  // "memory.kv_bytes": section, dot, name
  std::string_view help; // one line, with the unit
  field_ref field;
  value_range range = {};
  std::string_view choices = {}; // "f32|f16": of a string; empty: any text
};

/// The one list of all options, in the order of the sections, bound to the
/// fields of @p c, which must outlive it.
std::vector<option> options(config& c);

/// Parses @p text by the option's type, checks it and stores it.
/// @throws config_error without a source: "'x' is not a size; write …".
void set(const option& target, std::string_view text);

/// The value in the form that `set` reads.
std::string get(const option& source);

/// What the option may be, for --help: "size", "f32|f16", "1 to 64".
std::string describe_values(const option& subject);

/// "memory.kv_bytes" -> "SLUICE_MEMORY_KV_BYTES".
std::string environment_name(std::string_view key);

/// "Did you mean 'memory.kv_bytes'?" for a key that nearly exists, else a
/// pointer to the list of all.
std::string suggest(std::string_view unknown_key);

} // namespace sluice::config

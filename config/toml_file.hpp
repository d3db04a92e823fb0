// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace sluice::config {

/// One `key = value` of a file.
struct file_entry {
  enum class kind { text, number, boolean, other };

  std::string key; // "memory.kv_bytes"
  std::string text;
  kind type = kind::other;
  unsigned line = 0; // from 1
};

/// Reads a TOML file of at most 1 MiB; knows no options.
/// @throws config_error naming file and line for what cannot be read or is not
///         TOML.
std::vector<file_entry> read_toml(const std::filesystem::path& path);

} // namespace sluice::config

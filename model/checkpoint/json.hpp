// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/model_error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice {

/// Bounds for JSON that comes from a file.
struct json_limits {
  std::uint64_t bytes = 16u << 20;
  int depth = 64;
};

/// Parses an untrusted JSON object.
/// @param file  the name for error texts.
/// @throws model_error: limit (size or depth), duplicate (a key twice in one
///         object), malformed (anything else, such as invalid UTF-8).
/// @note   the parser does not recurse.
nlohmann::json parse_json(std::span<const std::byte> text,
                          std::string_view file, json_limits limits = {});

/// Typed access to one object: wrong types are errors that name the key, JSON
/// null counts as absent.
class json_reader {
public:
  json_reader(const nlohmann::json& object, std::string_view file)
      : object_(&object), file_(file) {}

  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::uint64_t u64(std::string_view key) const;
  std::uint64_t u64(std::string_view key, std::uint64_t fallback) const;
  /// Accepts integers too. Finite, or an error.
  double number(std::string_view key) const;
  double number(std::string_view key, double fallback) const;
  bool flag(std::string_view key, bool fallback) const;
  std::string text(std::string_view key) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  /// One integer or a list of them; absent gives an empty list.
  std::vector<std::uint64_t> u64_list(std::string_view key) const;
  /// The member object, or nullptr if absent.
  const nlohmann::json* object(std::string_view key) const;

private:
  const nlohmann::json* find(std::string_view key) const;
  const nlohmann::json& require(std::string_view key) const;
  [[noreturn]] void wrong_type(std::string_view key,
                               std::string_view wanted) const;

  const nlohmann::json* object_;
  std::string_view file_;
};

} // namespace sluice

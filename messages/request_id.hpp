// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "messages/common_generated.h"

namespace sluice::messages {

/// A request's 128-bit name as a value that sorts, hashes and prints.
struct request_id {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const request_id&) const = default;

  static request_id from(const RequestId& id) { return {id.high(), id.low()}; }
  RequestId to_wire() const { return {high, low}; }

  /// From the operating system's generator.
  static request_id random();

  /// 32 lower-case hex digits: also the topic of the request's stream.
  std::string hex() const;

  /// Accepts exactly 32 hex digits.
  static std::optional<request_id> parse(std::string_view hex);
};

} // namespace sluice::messages

template <>
struct std::hash<sluice::messages::request_id> {
  std::size_t operator()(const sluice::messages::request_id& id) const {
    return static_cast<std::size_t>(id.high * 0x9e3779b97f4a7c15u ^ id.low);
  }
};

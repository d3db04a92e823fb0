// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "messages/limits.hpp"
#include "messages/message_traits.hpp"

namespace sluice::messages {

/// Length and identifier, before FlatBuffers sees the bytes.
/// @return what is wrong, with the remedy; nothing if all is well.
std::optional<std::string> check_envelope(std::span<const std::byte> bytes,
                                          const char* identifier,
                                          const frame_limits& limits);

/// What the verifier does not check, for any message: strings are UTF-8, enums
/// and union types are known, floats are finite, nothing trails the last
/// object. Walks the frame by its type table.
/// @param root  the verified root table.
std::optional<std::string> check_values(const void* root,
                                        const flatbuffers::TypeTable& type,
                                        std::size_t frame_bytes);

/// Ranges of the fields that clients set.
std::optional<std::string> check_ranges(const Hello&, const frame_limits&);
std::optional<std::string> check_ranges(const Submit&, const frame_limits&);
std::optional<std::string> check_ranges(const Cancel&, const frame_limits&);
std::optional<std::string> check_ranges(const Replay&, const frame_limits&);
std::optional<std::string> check_ranges(const Lease&, const frame_limits&);
std::optional<std::string> check_ranges(const Query&, const frame_limits&);

/// Messages of our own making have no ranges beyond their types.
template <class T>
std::optional<std::string> check_ranges(const T&, const frame_limits&) {
  return std::nullopt;
}

/// Values, then ranges.
template <class T>
std::optional<std::string> semantic_check(const T& message,
                                          std::size_t frame_bytes,
                                          const frame_limits& limits) {
  if (auto problem =
          check_values(&message, *T::MiniReflectTypeTable(), frame_bytes))
    return problem;
  return check_ranges(message, limits);
}

} // namespace sluice::messages

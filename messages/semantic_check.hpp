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
/// object, objects are not shared without end. Walks the frame by its type
/// table (messages/walk.hpp) in time linear in its length.
/// @param frame  the whole frame, verified, aligned to 16 bytes.
/// @param type   of its root.
std::optional<std::string> check_values(std::span<const std::byte> frame,
                                        const flatbuffers::TypeTable& type);

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
/// @param message  the root of @p frame.
template <class T>
std::optional<std::string> semantic_check(const T& message,
                                          std::span<const std::byte> frame,
                                          const frame_limits& limits) {
  if (auto problem = check_values(frame, *T::MiniReflectTypeTable()))
    return problem;
  return check_ranges(message, limits);
}

} // namespace sluice::messages

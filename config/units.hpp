// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

/// A number of bytes; its own type so that "8GiB" is read as a size.
struct byte_size {
  std::uint64_t count = 0;

  constexpr auto operator<=>(const byte_size&) const = default;
  constexpr operator std::uint64_t() const noexcept { return count; }
};

/// Kibibytes, mebibytes, gibibytes: `512_mib`.
constexpr byte_size operator""_kib(unsigned long long n) {
  return {n << 10};
}
constexpr byte_size operator""_mib(unsigned long long n) {
  return {n << 20};
}
constexpr byte_size operator""_gib(unsigned long long n) {
  return {n << 30};
}

/// Reads "4096", "512KiB", "8 GiB", "10GB"; units B, KiB, MiB, GiB, TiB (1024)
/// and KB, MB, GB, TB (1000).
/// @return nothing if it is not a size or does not fit 64 bits.
std::optional<byte_size> parse_byte_size(std::string_view text);

/// Reads "500ms", "30s", "5min", "2h", "1d".
/// @return nothing if it is not a duration, has no unit, or does not fit.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The shortest exact form that the parser reads back: "512MiB", "1000B".
std::string to_string(byte_size size);

/// The shortest exact form that the parser reads back: "500ms", "30s".
std::string to_string(std::chrono::milliseconds duration);

} // namespace sluice::config

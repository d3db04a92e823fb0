// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace sluice {

/// Memory that was asked for cannot be had; the text gives the numbers.
class memory_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Owned anonymous memory: zero, page aligned, and not resident before it is
/// touched. Asks for huge pages.
class mapping {
public:
  mapping() = default;

  /// @param bytes  size; 0 gives an empty mapping.
  /// @param what   names the user of the memory in the error text.
  /// @throws memory_error if the system refuses.
  mapping(std::uint64_t bytes, const std::string& what);
  ~mapping();
  mapping(mapping&& other) noexcept;
  mapping& operator=(mapping&& other) noexcept;

  std::byte* data() const noexcept { return data_; }
  std::uint64_t bytes() const noexcept { return bytes_; }

private:
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
};

} // namespace sluice

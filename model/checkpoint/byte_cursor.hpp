// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/model_error.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace sluice {

static_assert(std::endian::native == std::endian::little,
              "model files are little-endian and are read without swapping");

/// A field runs past the bytes at hand: truncated, unless more can be given.
class incomplete_input : public model_error {
public:
  using model_error::model_error;
};

/// Reads fields one after the other from a byte range and never leaves it.
class byte_cursor {
public:
  byte_cursor(std::span<const std::byte> bytes, std::string_view file)
      : bytes_(bytes), file_(file) {}

  std::uint64_t position() const noexcept { return position_; }
  std::uint64_t remaining() const noexcept { return bytes_.size() - position_; }

  /// @throws incomplete_input if fewer than `length` bytes are left.
  std::span<const std::byte> take(std::uint64_t length,
                                  std::string_view subject) {
    if (length > remaining())
      throw incomplete_input(model_fault::truncated, {file_, subject},
                             "the file ends inside this field", download_again);
    auto taken = bytes_.subspan(position_, length);
    position_ += length;
    return taken;
  }

  /// Reads one little-endian number. Errors as take().
  template <class Number>
  Number number(std::string_view subject) {
    Number value;
    std::memcpy(&value, take(sizeof value, subject).data(), sizeof value);
    return value;
  }

private:
  std::span<const std::byte> bytes_;
  std::string_view file_;
  std::uint64_t position_ = 0;
};

} // namespace sluice

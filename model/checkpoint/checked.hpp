// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/model_error.hpp"

#include <cstdint>

namespace sluice {

/// An unsigned number that came from a file. It is the only way to add or
/// multiply such numbers: an overflow sticks to the result, makes every
/// comparison with a limit fail, and throws when the value is taken out.
class checked_u64 {
public:
  constexpr checked_u64(std::uint64_t value = 0) : value_(value) {}

  friend constexpr checked_u64 operator+(checked_u64 a, checked_u64 b) {
    checked_u64 sum;
    const bool wraps = __builtin_add_overflow(a.value_, b.value_, &sum.value_);
    sum.overflowed_ = wraps || a.overflowed_ || b.overflowed_;
    return sum;
  }

  friend constexpr checked_u64 operator*(checked_u64 a, checked_u64 b) {
    checked_u64 product;
    const bool wraps =
        __builtin_mul_overflow(a.value_, b.value_, &product.value_);
    product.overflowed_ = wraps || a.overflowed_ || b.overflowed_;
    return product;
  }

  /// Rounds up to a multiple of `alignment`, which must not be 0.
  constexpr checked_u64 rounded_up(std::uint64_t alignment) const {
    checked_u64 padded = *this + (alignment - 1);
    padded.value_ -= padded.value_ % alignment;
    return padded;
  }

  /// @return true if nothing overflowed and the value is at most `limit`.
  constexpr bool at_most(std::uint64_t limit) const {
    return !overflowed_ && value_ <= limit;
  }

  constexpr bool overflowed() const { return overflowed_; }

  /// @throws model_error (overflow) that names `site`.
  std::uint64_t value(fault_site site) const {
    if (overflowed_)
      throw model_error(model_fault::overflow, site,
                        "a size computed from the file exceeds 64 bits",
                        download_again);
    return value_;
  }

private:
  std::uint64_t value_;
  bool overflowed_ = false;
};

} // namespace sluice

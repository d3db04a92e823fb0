// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace sluice::test {

/// Counts what all threads of the program ask of the heap from its
/// construction on: malloc, calloc, realloc, and operator new through them.
/// @note a sanitizer has its own heap: nothing is counted then.
class allocation_count {
public:
  allocation_count();
  std::size_t count() const;

  /// Whether anything is counted in this build.
  static bool works();

private:
  std::size_t before_;
};

} // namespace sluice::test

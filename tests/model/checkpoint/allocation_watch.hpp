// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace sluice::test {

/// Notes the largest single allocation of this thread while it lives, so that
/// a test can tell that a hostile file did not make a reader ask for gigabytes.
class allocation_watch {
public:
  allocation_watch();
  std::size_t largest_bytes() const;
};

} // namespace sluice::test

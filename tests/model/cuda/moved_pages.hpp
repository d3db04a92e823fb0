// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_layout.hpp"

#include <cstdint>

namespace sluice::test {

struct moves_setting {
  kv_shape shape;
  std::uint32_t host_slots = 10;
  std::uint32_t staging_pages = 2;
  std::uint32_t seed = 1;
};

/// Puts random plans of swaps and copies into a stream, one upon the other and
/// with writes to pages between them, and expects the bytes that the host's
/// kv_store and swap_store have when they do the same.
void check_page_moves(const moves_setting& setting);

} // namespace sluice::test

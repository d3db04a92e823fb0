// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

#include "messages/control_generated.h"

namespace sluice::policy {

/// 128 bits that tell one request's body from another's.
struct body_hash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const body_hash&) const = default;
};

/// Hashes what a request means, not how its bytes lie: absent tables count as
/// tables of defaults, and the order of objects in the frame has no say.
/// @param request  a verified Submit.
/// @source XXH3-128 over the re-packed frame.
body_hash hash_body(const messages::Submit& request);

} // namespace sluice::policy

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace sluice {

/// One row of logits as the model gave it.
struct logits_row {
  std::uint64_t sequence = 0;
  std::uint32_t position = 0;    // of the token that went in
  std::span<const float> logits; // [vocab], valid during the call
};

using logits_observer = std::function<void(const logits_row&)>;

} // namespace sluice

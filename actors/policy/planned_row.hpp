// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace sluice::policy {

/// The token that row `row` of plan `plan` samples last.
struct row_reference {
  std::uint64_t plan = 0;
  std::uint32_t row = 0;

  bool operator==(const row_reference&) const = default;
};

/// One run of positions of a sequence: a prompt chunk or a decode.
struct planned_row {
  std::uint64_t sequence = 0;
  std::uint32_t start = 0;           // position of the first token
  std::vector<std::uint32_t> tokens; // empty: one token, named by `from`
  row_reference from;
  bool sampled = false;         // the last position's successor is sampled
  bool joins = false;           // the first row since the sequence entered
  std::uint32_t score_from = 0; // offset of the first scored position
  std::vector<std::uint32_t> next_tokens; // after each scored position

  std::uint32_t length() const {
    return tokens.empty() ? 1 : static_cast<std::uint32_t>(tokens.size());
  }
  std::uint32_t end() const { return start + length(); }
  std::uint32_t logits() const { // positions whose logits are computed
    return static_cast<std::uint32_t>(next_tokens.size()) + (sampled ? 1 : 0);
  }
};

} // namespace sluice::policy

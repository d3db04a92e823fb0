// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice {

/// Encodes the text between two added tokens. Const and shared by threads.
class segment_encoder {
public:
  virtual ~segment_encoder() = default;

  /// @param text      normalised, not empty.
  /// @param at_start  whether it begins the whole text.
  /// @param out       ids are appended.
  virtual void encode(std::string_view text, bool at_start,
                      std::vector<std::uint32_t>& out) const = 0;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/tensor_info.hpp"

namespace sluice {

std::string shape_text(std::span<const std::uint64_t> dimensions) {
  std::string text = "[";
  for (auto extent : dimensions) {
    if (text.size() > 1)
      text.append(", ");
    text.append(std::to_string(extent));
  }
  return text.append("]");
}

} // namespace sluice

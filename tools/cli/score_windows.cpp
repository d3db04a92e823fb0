// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/score_windows.hpp"

#include <algorithm>

namespace sluice::cli {

std::vector<score_window> cut_windows(std::size_t tokens, std::size_t window,
                                      std::size_t stride) {
  std::vector<score_window> result;
  std::size_t counted = 0; // tokens that a window has held
  for (std::size_t begin = 0; counted < tokens; begin += stride) {
    const auto end = std::min(begin + window, tokens);
    const auto first = std::max<std::size_t>(counted - begin, 1);
    if (begin + first < end)
      result.push_back({begin, end, first});
    counted = end;
  }
  return result;
}

} // namespace sluice::cli

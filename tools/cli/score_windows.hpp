// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace sluice::cli {

/// A run of a text's tokens, and which of them count.
struct score_window {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t score_from =
      1; // counted from begin; the tokens before are context

  bool operator==(const score_window&) const = default;
};

/// Windows over a text that is longer than the context, a stride apart, as in
/// Hugging Face's guide to perplexity: each token counts in the first window
/// that holds it, so it has at least `window - stride` tokens before it once
/// the text is that long. The first token of the text counts nowhere, nor does
/// a window's first one if stride equals window.
/// @param tokens  of the text.
/// @param window  tokens of one window, > 1.
/// @param stride  1 to window.
/// @return windows without any token that counts are left out.
std::vector<score_window> cut_windows(std::size_t tokens, std::size_t window,
                                      std::size_t stride);

} // namespace sluice::cli

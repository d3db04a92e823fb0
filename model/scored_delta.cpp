// SPDX-License-Identifier: Apache-2.0
#include "model/scored_delta.hpp"

#include "model/tokenizer/tokenizer.hpp"

namespace sluice {

std::unique_ptr<messages::DeltaT>
scored_delta(const messages::TokenScores& scores, const tokenizer& text) {
  auto delta = std::make_unique<messages::DeltaT>();
  delta->prompt.reset(scores.UnPack());
  auto& all = *delta->prompt;
  for (const auto token : all.tokens) {
    const auto bytes = text.token_bytes(token);
    all.pieces.insert(all.pieces.end(), bytes.begin(), bytes.end());
    all.piece_ends.push_back(static_cast<std::uint32_t>(all.pieces.size()));
  }
  return delta;
}

} // namespace sluice

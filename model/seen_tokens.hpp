// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// How often a sequence has seen each token, in its prompt and generated: what
/// the penalties look at. Goes forward and back one token at a time.
class seen_tokens {
public:
  /// @param vocab  tokens are below it.
  /// @param most   different tokens at once that need no more memory.
  explicit seen_tokens(std::uint32_t vocab = 0, std::uint32_t most = 0);

  /// Counts one more occurrence.
  /// @throws contract_violation for a token that is not below vocab.
  void add(std::int32_t token, bool generated);

  /// Undoes one add() with the same arguments.
  /// @throws contract_violation if there was none.
  void remove(std::int32_t token, bool generated);

  /// Every token seen, once; in no particular order.
  std::span<const token_count> list() const noexcept { return list_; }

private:
  std::uint32_t& entry_of(std::int32_t token);
  void drop(std::size_t index);

  std::vector<token_count> list_;
  std::vector<std::int32_t> in_prompt_; // occurrences, beside list_
  std::vector<std::uint32_t> entries_;  // [vocab], index in list_ + 1; 0: none
};

} // namespace sluice

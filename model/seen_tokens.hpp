// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace sluice {

/// How often a sequence has seen each token, in its prompt and generated: what
/// the penalties look at. Goes forward and back one token at a time.
class seen_tokens {
public:
  /// Counts one more occurrence.
  void add(std::int32_t token, bool generated);

  /// Undoes one add() with the same arguments.
  /// @throws contract_violation if there was none.
  void remove(std::int32_t token, bool generated);

  /// Every token seen, once; in no particular order.
  std::span<const token_count> list() const noexcept { return list_; }

private:
  void drop(std::size_t index);

  std::vector<token_count> list_;
  std::vector<std::int32_t> in_prompt_; // occurrences, beside list_
  std::unordered_map<std::int32_t, std::size_t> index_;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"
#include "memory/mapping.hpp"
#include "model/loaded_model.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

/// The first rows of a buffer.
activations first_rows(const activations& buffer, std::int64_t rows);

/// Some columns of every row of a buffer.
activations columns_of(const activations& buffer, std::int64_t first,
                       std::int64_t count);

/// Memory of a forward pass, laid out once for the largest step. Pages that no
/// step has touched cost nothing.
class transformer_scratch {
public:
  /// @param max_tokens  positions of the largest step, > 0.
  /// @throws contract_violation for 0, memory_error if it cannot be had.
  transformer_scratch(const loaded_model& model, std::uint32_t max_tokens);

  activations residual; // [max_tokens, hidden], the stream that layers add to
  activations normed;   // [max_tokens, hidden]
  activations update;   // [max_tokens, hidden], what a sublayer adds
  activations qkv;      // [max_tokens, (heads + 2 kv_heads) * head_dim]
  activations attended; // [max_tokens, heads * head_dim]
  activations gate_up;  // [max_tokens, 2 * ffn]
  activations logits;   // [logit_rows, vocab]
  std::span<float> cos_sin;       // [max_tokens * rotary_dim]
  std::span<std::byte> workspace; // of the most demanding op

  /// Positions whose logits are computed at a time.
  std::int64_t logit_rows() const noexcept { return logits.rows; }
  std::int64_t max_tokens() const noexcept { return residual.rows; }

private:
  mapping memory_;
};

} // namespace sluice

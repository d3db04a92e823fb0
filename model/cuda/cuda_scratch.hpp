// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "model/cuda/cuda_weights.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

/// Device memory of a forward pass, laid out once for the largest step, as
/// transformer_scratch.
class cuda_scratch {
public:
  /// @param max_tokens  positions of the largest step, > 0.
  /// @param mode        of its matmuls, which want more room in fast mode.
  /// @param device      bytes_for() bytes.
  /// @throws contract_violation for 0, cuda::device_error.
  cuda_scratch(const architecture& arch, std::uint32_t max_tokens,
               cuda::determinism mode, std::span<std::byte> device,
               cuda::stream& in);

  /// @return bytes that a scratch of this size takes.
  static std::uint64_t bytes_for(const architecture& arch,
                                 std::uint32_t max_tokens,
                                 cuda::determinism mode);

  /// @return rows of its logits.
  static std::uint32_t logit_rows(const architecture& arch,
                                  std::uint32_t max_tokens);

  cuda::device_rows residual; // [max_tokens, hidden]
  cuda::device_rows update;   // [max_tokens, hidden]
  cuda::device_rows kept;     // [max_tokens, hidden], residual of wanted rows
  cuda::device_rows kept_update;
  cuda::device_rows qkv;        // [max_tokens, (heads + 2 kv_heads) * head_dim]
  cuda::device_rows gate_up;    // [max_tokens, 2 * ffn]
  cuda::device_rows logits;     // [logit_rows, vocab]
  cuda::operand normed;         // [max_tokens, hidden], room for any type
  cuda::operand attended;       // [max_tokens, heads * head_dim]
  cuda::operand gated;          // [max_tokens, ffn]
  std::byte* queries = nullptr; // [max_tokens, heads * head_dim], 16 bits
  float* cos_sin = nullptr;     // [max_tokens, rotary_dim]
  std::byte* matmul_workspace = nullptr;
  std::size_t matmul_workspace_bytes = 0;
  std::byte* attention_workspace = nullptr;
  std::size_t attention_workspace_bytes = 0;

private:
  std::uint64_t place(const architecture& arch, std::int64_t rows,
                      cuda::determinism mode, std::byte* base);

  cuda_scratch() = default;
};

/// The first rows of an operand, as one of a type.
cuda::operand first_rows(const cuda::operand& buffer, std::int64_t rows,
                         dtype type);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "kernels/ops.hpp"

namespace sluice::bench {

// All that the benchmark knows of how ops are called: where an op's arguments
// change, this file and its .cpp change, and the cases do not.

/// The path that is measured, and its threads.
struct kernels_under_test {
  const op_table& ops;
  thread_pool& pool;
};

/// Bytes of scratch memory for products of [m, K] activations.
std::size_t matmul_workspace_bytes(const matrix_view& weight, std::int64_t m);

/// Matrices of one call, at most.
inline constexpr std::size_t most_projections = 3;

/// Products of the same x with several matrices, one output each.
void call_matmul(const kernels_under_test& under, const activations& x,
                 std::span<const matrix_view> weights,
                 std::span<const activations> outs,
                 std::span<std::byte> workspace);

/// Attention of some rows of one sequence.
struct attention_call {
  activations q;
  kv_view cache;
  page_list pages;
  std::span<const std::int32_t> row_sequences; // zeros
  std::span<const std::int32_t> positions;
  std::int64_t heads;
  activations out;
  std::span<std::byte> workspace;
};

/// Bytes of scratch memory for a call; its own workspace does not matter.
std::size_t attention_workspace_bytes(const attention_call& call);

void call_attention(const kernels_under_test& under,
                    const attention_call& call);

void call_rms_norm(const kernels_under_test& under, const activations& x,
                   std::span<const float> weight, const activations& out);

void call_swiglu(const kernels_under_test& under, const activations& gate,
                 const activations& up, const activations& out);

/// Rotates q and k, and stores k and v.
void call_rope(const kernels_under_test& under, const rope_store_kv_args& args);

/// Draws a token for each row, rows in parallel.
/// @param workspaces  sample_workspace_bytes(vocabulary) for each row.
void call_sample(const kernels_under_test& under, const activations& logits,
                 const sampling_params& params,
                 std::span<std::byte> workspaces);

} // namespace sluice::bench

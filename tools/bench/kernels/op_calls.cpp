// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/kernels/op_calls.hpp"

#include <array>
#include <cmath>
#include <exception>

namespace sluice::bench {

std::size_t matmul_workspace_bytes(const matrix_view& weight, std::int64_t m) {
  return ::sluice::matmul_workspace_bytes(m, weight.columns);
}

std::size_t attention_workspace_bytes(const attention_call& call) {
  return paged_attention_workspace_bytes(call.heads, call.cache.head_dim);
}

void call_matmul(const kernels_under_test& under, const activations& x,
                 std::span<const matrix_view> weights,
                 std::span<const activations> outs,
                 std::span<std::byte> workspace) {
  std::array<projection, most_projections> projections;
  for (std::size_t i = 0; i < weights.size(); ++i)
    projections.at(i) = {.weight = weights[i], .bias = {}, .out = outs[i]};
  under.ops.matmul({.x = x,
                    .projections = {projections.data(), weights.size()},
                    .workspace = workspace},
                   under.pool);
}

void call_attention(const kernels_under_test& under,
                    const attention_call& call) {
  const auto width = static_cast<float>(call.cache.head_dim);
  under.ops.paged_attention({.q = call.q,
                             .cache = call.cache,
                             .sequences = {&call.pages, 1},
                             .row_sequences = call.row_sequences,
                             .positions = call.positions,
                             .heads = call.heads,
                             .scale = 1 / std::sqrt(width),
                             .out = call.out,
                             .workspace = call.workspace},
                            under.pool);
}

void call_rms_norm(const kernels_under_test& under, const activations& x,
                   std::span<const float> weight, const activations& out) {
  under.ops.rms_norm({.x = x, .weight = weight, .out = out}, under.pool);
}

void call_swiglu(const kernels_under_test& under, const activations& gate,
                 const activations& up, const activations& out) {
  under.ops.swiglu({.gate = gate, .up = up, .out = out}, under.pool);
}

void call_rope(const kernels_under_test& under,
               const rope_store_kv_args& args) {
  under.ops.rope_store_kv(args, under.pool);
}

void call_sample(const kernels_under_test& under, const activations& logits,
                 const sampling_params& params,
                 std::span<std::byte> workspaces) {
  const auto vocabulary = static_cast<std::size_t>(logits.columns);
  const auto bytes = sample_workspace_bytes(logits.columns);
  under.pool.parallel_for(logits.rows, [&](std::int64_t row) {
    const auto drawn = under.ops.sample(
        {.logits = {logits.data + row * logits.row_stride, vocabulary},
         .params = params,
         .key = {1, static_cast<std::uint32_t>(row), 1},
         .workspace =
             workspaces.subspan(static_cast<std::size_t>(row) * bytes, bytes)});
    if (drawn.status != sample_status::ok)
      std::terminate(); // logits of our own making are finite
  });
}

} // namespace sluice::bench

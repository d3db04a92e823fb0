// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_scratch.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/sampling.hpp"

#include <algorithm>

namespace sluice {

namespace {

constexpr std::uint64_t alignment = 256;
constexpr std::uint64_t most_logits_bytes = 256u << 20; // of one slice

/// Hands out the parts of one piece of memory; with no base it adds up sizes.
class layout {
public:
  explicit layout(std::byte* base) : base_{base} {}

  std::byte* take(std::uint64_t bytes) {
    auto* first = base_ ? base_ + used_ : nullptr;
    used_ += (bytes + alignment - 1) / alignment * alignment;
    return first;
  }

  float* floats(std::int64_t count) {
    return reinterpret_cast<float*>(
        take(static_cast<std::uint64_t>(count) * sizeof(float)));
  }

  cuda::device_rows matrix(std::int64_t rows, std::int64_t columns) {
    return {floats(rows * columns), rows, columns, columns};
  }

  // bf16 and f16 are the widest.
  cuda::operand operand(std::int64_t rows, std::int64_t columns) {
    auto* data = take(static_cast<std::uint64_t>(rows * columns) * 2);
    return {data, floats(rows), dtype::bf16, rows, columns};
  }

  std::uint64_t used() const { return used_; }

private:
  std::byte* base_;
  std::uint64_t used_ = 0;
};

std::int64_t rows_of_logits(std::int64_t vocab, std::int64_t max_tokens) {
  const auto row = vocab * std::int64_t{sizeof(float)};
  const auto fit = static_cast<std::int64_t>(most_logits_bytes) / row;
  return std::clamp<std::int64_t>(fit, std::min<std::int64_t>(16, max_tokens),
                                  max_tokens);
}

} // namespace

cuda_scratch::cuda_scratch(const architecture& arch, std::uint32_t max_tokens,
                           cuda::determinism mode, std::span<std::byte> device,
                           cuda::stream& in) {
  place(arch, max_tokens, mode, device.data());
  in.fill(matmul_workspace, 0, matmul_workspace_bytes);
}

std::uint64_t cuda_scratch::bytes_for(const architecture& arch,
                                      std::uint32_t max_tokens,
                                      cuda::determinism mode) {
  require(max_tokens > 0, "lane: a step holds at least one token; raise "
                          "max_step_tokens");
  cuda_scratch sizes;
  return sizes.place(arch, max_tokens, mode, nullptr);
}

std::uint32_t cuda_scratch::logit_rows(const architecture& arch,
                                       std::uint32_t max_tokens) {
  return static_cast<std::uint32_t>(
      rows_of_logits(cuda::count_stride(arch.vocab), max_tokens));
}

std::uint64_t cuda_scratch::place(const architecture& a, std::int64_t rows,
                                  cuda::determinism mode, std::byte* base) {
  const std::int64_t attention = std::int64_t{a.heads} * a.head_dim;
  const std::int64_t qkv_width =
      attention + 2 * std::int64_t{a.kv_heads} * a.head_dim;
  const std::int64_t ffn = a.ffn;
  layout parts{base};
  residual = parts.matrix(rows, a.hidden);
  update = parts.matrix(rows, a.hidden);
  kept = parts.matrix(rows, a.hidden);
  kept_update = parts.matrix(rows, a.hidden);
  qkv = parts.matrix(rows, qkv_width);
  gate_up = parts.matrix(rows, 2 * ffn);
  const auto stride = cuda::count_stride(a.vocab); // 16-byte loads
  logits = parts.matrix(rows_of_logits(stride, rows), stride);
  logits.columns = a.vocab;
  normed = parts.operand(rows, a.hidden);
  attended = parts.operand(rows, attention);
  gated = parts.operand(rows, ffn);
  queries = parts.take(static_cast<std::uint64_t>(rows * attention) * 2);
  cos_sin = parts.floats(rows * a.rope.rotary_dim);
  const auto widest = std::max(
      {std::int64_t{a.vocab}, qkv_width, 2 * ffn, std::int64_t{a.hidden}});
  matmul_workspace_bytes = cuda::matmul_workspace_bytes(rows, widest, mode);
  matmul_workspace = parts.take(matmul_workspace_bytes);
  attention_workspace_bytes = cuda::attention_workspace_bytes(
      rows, rows, a.heads, a.head_dim, a.context);
  attention_workspace = parts.take(attention_workspace_bytes);
  return parts.used();
}

cuda::operand first_rows(const cuda::operand& buffer, std::int64_t rows,
                         dtype type) {
  return {buffer.data, buffer.scales, type, rows, buffer.columns};
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/transformer_scratch.hpp"

#include "kernels/check.hpp"
#include "kernels/ops.hpp"

#include <algorithm>

namespace sluice {

namespace {

constexpr std::uint64_t alignment = 64;
constexpr std::uint64_t logits_bytes = 32u << 20; // of one slice

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// Hands out the parts of one mapping: a first pass without memory adds up the
/// sizes, a second one gives the addresses.
class layout {
public:
  explicit layout(std::byte* base) : base_{base} {}

  activations matrix(std::int64_t rows, std::int64_t columns) {
    const auto elements = static_cast<std::uint64_t>(rows * columns);
    auto* first = take(elements * sizeof(float));
    return {reinterpret_cast<float*>(first), rows, columns, columns};
  }

  std::byte* take(std::uint64_t bytes) {
    auto* first = base_ ? base_ + used_ : nullptr;
    used_ += aligned(bytes);
    return first;
  }

  std::uint64_t used() const { return used_; }

private:
  std::byte* base_;
  std::uint64_t used_ = 0;
};

std::uint64_t workspace_bytes(const architecture& arch, std::int64_t rows) {
  const std::int64_t widest =
      std::max({std::int64_t{arch.hidden}, std::int64_t{arch.ffn},
                std::int64_t{arch.heads} * arch.head_dim});
  return std::max<std::uint64_t>(
      matmul_workspace_bytes(rows, widest),
      paged_attention_workspace_bytes(arch.heads, arch.head_dim));
}

std::int64_t rows_of_logits(std::int64_t vocab, std::int64_t max_tokens) {
  const auto row = vocab * std::int64_t{sizeof(float)};
  const auto fit = static_cast<std::int64_t>(logits_bytes) / row;
  return std::clamp<std::int64_t>(fit, std::min<std::int64_t>(16, max_tokens),
                                  max_tokens);
}

} // namespace

activations first_rows(const activations& buffer, std::int64_t rows) {
  return {buffer.data, rows, buffer.columns, buffer.row_stride};
}

activations columns_of(const activations& buffer, std::int64_t first,
                       std::int64_t count) {
  return {buffer.data + first, buffer.rows, count, buffer.row_stride};
}

transformer_scratch::transformer_scratch(const loaded_model& model,
                                         std::uint32_t max_tokens) {
  require(max_tokens > 0, "lane: a step holds at least one token; raise "
                          "max_step_tokens");
  const auto& a = model.arch;
  const std::int64_t rows = max_tokens;
  const std::int64_t head_dim = a.head_dim;
  const auto workspace_size = workspace_bytes(a, rows);
  const auto place = [&](std::byte* base) {
    layout parts{base};
    residual = parts.matrix(rows, a.hidden);
    normed = parts.matrix(rows, a.hidden);
    update = parts.matrix(rows, a.hidden);
    qkv = parts.matrix(rows, (a.heads + 2 * a.kv_heads) * head_dim);
    attended = parts.matrix(rows, a.heads * head_dim);
    gate_up = parts.matrix(rows, std::int64_t{2} * a.ffn);
    logits = parts.matrix(rows_of_logits(a.vocab, rows), a.vocab);
    const auto angles = parts.matrix(rows, a.rope.rotary_dim);
    cos_sin = {angles.data, static_cast<std::size_t>(rows * angles.columns)};
    workspace = {parts.take(workspace_size), workspace_size};
    return parts.used();
  };
  memory_ = mapping{place(nullptr), "scratch memory for a step of " +
                                        std::to_string(max_tokens) + " tokens"};
  place(memory_.data());
}

} // namespace sluice

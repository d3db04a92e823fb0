// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/layer_data.hpp"

#include "model/cuda/cuda_inventor.hpp"
#include "tools/bench/gpu/noise.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::bench {
namespace {

constexpr std::uint64_t alignment = 256;

/// Parts of one piece of memory, by size first and by address then.
class cutter {
public:
  explicit cutter(std::byte* base) : base_{base} {}

  std::byte* take(std::int64_t bytes) {
    auto* at = base_ ? base_ + used_ : nullptr;
    used_ += (static_cast<std::uint64_t>(bytes) + alignment - 1) / alignment *
             alignment;
    return at;
  }
  cuda::device_rows rows(std::int64_t count, std::int64_t columns) {
    return {reinterpret_cast<float*>(take(count * columns * 4)), count, columns,
            columns};
  }
  cuda::operand operand(std::int64_t count, std::int64_t columns, dtype type) {
    auto* data = take(count * columns * 2);
    return {data, reinterpret_cast<float*>(take(count * 4)), type, count,
            columns};
  }
  std::uint64_t used() const { return used_; }

private:
  std::byte* base_;
  std::uint64_t used_ = 0;
};

} // namespace

layer_weights_on_gpu::layer_weights_on_gpu(const model_shape& shape, dtype type,
                                           std::uint64_t least_bytes,
                                           cuda::stream& in) {
  const auto attention = shape.heads * shape.head_dim;
  const auto qkv = attention + 2 * shape.kv_heads * shape.head_dim;
  const struct {
    std::int64_t rows, columns;
    cuda::device_weight layer::*to;
  } matrices[] = {{qkv, shape.hidden, &layer::qkv},
                  {shape.hidden, attention, &layer::o},
                  {2 * shape.ffn, shape.hidden, &layer::gate_up},
                  {shape.hidden, shape.ffn, &layer::down}};
  for (const auto& matrix : matrices) {
    bytes_ += static_cast<double>(row_bytes(type, matrix.columns)) *
              static_cast<double>(matrix.rows);
    elements_ += static_cast<double>(matrix.rows * matrix.columns);
  }
  const auto copies = static_cast<std::size_t>(
      std::max(1.0, std::ceil(static_cast<double>(least_bytes) / bytes_)));
  layers_.resize(copies);
  cuda_inventor inventor;
  for (auto& one : layers_)
    for (const auto& matrix : matrices) {
      memory_.emplace_back(cuda::device_weight_bytes(
          cuda::form_of(type), matrix.rows, matrix.columns));
      one.*matrix.to = inventor.weight(type, matrix.rows, matrix.columns,
                                       memory_.back().data(), in);
    }
  in.wait();
}

layer_activations::layer_activations(const model_shape& shape,
                                     std::int64_t count, dtype type,
                                     cuda::stream& in) {
  const auto attention = shape.heads * shape.head_dim;
  const auto width = attention + 2 * shape.kv_heads * shape.head_dim;
  const auto place = [&](std::byte* base) {
    cutter parts{base};
    hidden = parts.operand(count, shape.hidden, type);
    attended = parts.operand(count, attention, type);
    gated = parts.operand(count, shape.ffn, type);
    qkv = parts.rows(count, width);
    update = parts.rows(count, shape.hidden);
    gate_up = parts.rows(count, 2 * shape.ffn);
    return parts.used();
  };
  memory = cuda::device_memory{place(nullptr)};
  place(memory.data());
  in.fill(memory.data(), 0, memory.bytes());
  for (const auto& x : {hidden, attended, gated}) {
    const auto elements = static_cast<std::uint64_t>(x.rows * x.columns);
    fill_with_noise(x.data, elements * (is_scaled(type) ? 1 : 2), type, 1, in);
    fill_with(noise_scale(type, 1), x.scales,
              static_cast<std::uint64_t>(x.rows), in);
  }
  workspace = cuda::device_memory{cuda::matmul_workspace_bytes(
      count, std::max(width, 2 * shape.ffn), cuda::determinism::fast)};
  in.fill(workspace.data(), 0, workspace.bytes());
}

void multiply_layer(const layer_weights_on_gpu::layer& weights,
                    const layer_activations& data, cuda::determinism mode,
                    cuda::stream& in) {
  const auto multiply = [&](const cuda::operand& x,
                            const cuda::device_weight& weight,
                            const cuda::device_rows& out) {
    const cuda::device_projection into{weight, nullptr, out};
    cuda::matmul({.x = x,
                  .projections = {&into, 1},
                  .workspace = data.workspace.data(),
                  .workspace_bytes = data.workspace.bytes(),
                  .mode = mode},
                 in);
  };
  multiply(data.hidden, weights.qkv, data.qkv);
  multiply(data.attended, weights.o, data.update);
  multiply(data.hidden, weights.gate_up, data.gate_up);
  multiply(data.gated, weights.down, data.update);
}

} // namespace sluice::bench

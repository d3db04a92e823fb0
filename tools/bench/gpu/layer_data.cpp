// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/gpu/layer_data.hpp"

#include "kernels/convert.hpp"
#include "model/random_weights.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace sluice::bench {
namespace {

constexpr std::int64_t made_rows = 64; // of random numbers; they repeat
constexpr std::uint64_t alignment = 256;

/// One matrix, packed on the host. Its rows repeat: nobody looks at the sums.
std::vector<std::byte> packed(dtype type, std::int64_t rows,
                              std::int64_t columns) {
  const auto stride = row_bytes(type, columns);
  std::vector<std::byte> few(stride * made_rows);
  const auto deviation = 1 / std::sqrt(static_cast<float>(columns));
  if (type == dtype::w8a8) {
    std::vector<float> row(static_cast<std::size_t>(columns));
    for (std::int64_t i = 0; i < columns; ++i)
      row[static_cast<std::size_t>(i)] =
          deviation * static_cast<float>(i % 255 - 127) / 64;
    for (std::int64_t i = 0; i < made_rows; ++i)
      quantize_row(type, row,
                   few.data() + static_cast<std::size_t>(i) * stride);
  } else {
    random_weights{type, deviation, 1}.fill(few);
  }
  std::vector<std::byte> all(stride * static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i)
    std::copy_n(few.data() + static_cast<std::size_t>(i % made_rows) * stride,
                stride, all.data() + static_cast<std::size_t>(i) * stride);
  const auto form = cuda::form_of(type);
  std::vector<std::byte> out(cuda::device_weight_bytes(form, rows, columns));
  cuda::pack_device_weight({.data = all.data(),
                            .type = type,
                            .rows = rows,
                            .columns = columns,
                            .row_stride_bytes = stride},
                           out);
  return out;
}

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
  std::vector<std::vector<std::byte>> host;
  for (const auto& matrix : matrices) {
    host.push_back(packed(type, matrix.rows, matrix.columns));
    bytes_ += static_cast<double>(row_bytes(type, matrix.columns)) *
              static_cast<double>(matrix.rows);
    elements_ += static_cast<double>(matrix.rows * matrix.columns);
  }
  const auto copies = static_cast<std::size_t>(
      std::max(1.0, std::ceil(static_cast<double>(least_bytes) / bytes_)));
  layers_.resize(copies);
  for (auto& one : layers_)
    for (std::size_t i = 0; i < host.size(); ++i) {
      memory_.emplace_back(host[i].size());
      in.copy(memory_.back().data(), host[i].data(), host[i].size());
      one.*matrices[i].to = {memory_.back().data(), cuda::form_of(type),
                             matrices[i].rows, matrices[i].columns};
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
  workspace = cuda::device_memory{
      cuda::matmul_workspace_bytes(count, std::max(width, 2 * shape.ffn))};
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

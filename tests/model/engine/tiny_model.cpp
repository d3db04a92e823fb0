// SPDX-License-Identifier: Apache-2.0
#include "tests/model/engine/tiny_model.hpp"

#include "kernels/convert.hpp"

#include <cmath>
#include <limits>
#include <random>

namespace sluice::test {

namespace {

architecture tiny_architecture(const tiny_options& options) {
  architecture a;
  a.family = "llama";
  a.layers = 2;
  a.hidden = 64;
  a.heads = 4;
  a.kv_heads = 2;
  a.head_dim = options.head_dim;
  a.ffn = 96;
  a.vocab = options.vocab;
  a.context = 128;
  a.norm_epsilon = 1e-5f;
  a.rope.rotary_dim = options.head_dim;
  a.sliding_window = options.sliding_window;
  a.attention_bias = options.attention_bias;
  return a;
}

/// Hands out random tensors from one large mapping.
class tensor_maker {
public:
  explicit tensor_maker(const tiny_options& options)
      : memory_{(1u << 20) + options.vocab * 512ull, "tiny model"},
        type_{options.type}, random_{options.seed} {}

  matrix_view matrix(std::int64_t rows, std::int64_t columns) {
    const auto stride = row_bytes(type_, columns);
    matrix_view view{take(stride * rows), type_, rows, columns, stride};
    const auto scale = 1.5f / std::sqrt(static_cast<float>(columns));
    for (std::int64_t row = 0; row < rows; ++row)
      quantize_row(type_, normal(columns, 0, scale),
                   memory_.data() + (view.data - memory_.data()) +
                       row * stride);
    return view;
  }

  std::span<const float> vector(std::int64_t size, float mean, float scale) {
    auto* first = reinterpret_cast<float*>(take(size * sizeof(float)));
    const auto values = normal(size, mean, scale);
    std::copy(values.begin(), values.end(), first);
    return {first, values.size()};
  }

  mapping finish() { return std::move(memory_); }

private:
  std::byte* take(std::size_t bytes) {
    auto* first = memory_.data() + used_;
    used_ += (bytes + 63) / 64 * 64;
    return first;
  }

  std::vector<float> normal(std::int64_t size, float mean, float scale) {
    std::normal_distribution<float> draw{mean, scale};
    std::vector<float> values(static_cast<std::size_t>(size));
    for (auto& value : values)
      value = draw(random_);
    return values;
  }

  mapping memory_;
  dtype type_;
  std::mt19937_64 random_;
  std::size_t used_ = 0;
};

layer_weights make_layer(tensor_maker& make, const architecture& a) {
  layer_weights w;
  w.q = make.matrix(a.heads * a.head_dim, a.hidden);
  w.k = make.matrix(a.kv_heads * a.head_dim, a.hidden);
  w.v = make.matrix(a.kv_heads * a.head_dim, a.hidden);
  w.o = make.matrix(a.hidden, a.heads * a.head_dim);
  w.gate = make.matrix(a.ffn, a.hidden);
  w.up = make.matrix(a.ffn, a.hidden);
  w.down = make.matrix(a.hidden, a.ffn);
  w.attn_norm = make.vector(a.hidden, 1, 0.2f);
  w.ffn_norm = make.vector(a.hidden, 1, 0.2f);
  if (a.attention_bias) {
    w.q_bias = make.vector(w.q.rows, 0, 0.5f);
    w.k_bias = make.vector(w.k.rows, 0, 0.5f);
    w.v_bias = make.vector(w.v.rows, 0, 0.5f);
  }
  return w;
}

std::shared_ptr<loaded_model> make_model(const tiny_options& options) {
  auto model = std::make_shared<loaded_model>();
  model->name = "tiny";
  model->arch = tiny_architecture(options);
  tensor_maker make{options};
  auto& w = model->tensors;
  w.embed = make.matrix(model->arch.vocab, model->arch.hidden);
  w.lm_head = make.matrix(model->arch.vocab, model->arch.hidden);
  w.final_norm = make.vector(model->arch.hidden, 1, 0.2f);
  for (std::uint32_t i = 0; i < model->arch.layers; ++i)
    w.layers.push_back(make_layer(make, model->arch));
  w.memory = make.finish();
  return model;
}

} // namespace

std::shared_ptr<const loaded_model> tiny_model(const tiny_options& options) {
  return make_model(options);
}

std::shared_ptr<const loaded_model> poisoned_model(std::int32_t token) {
  auto model = make_model({});
  const auto& embed = model->tensors.embed;
  auto* row = model->tensors.memory.data() +
              (embed.data - model->tensors.memory.data()) +
              token * embed.row_stride_bytes;
  *reinterpret_cast<float*>(row) = std::numeric_limits<float>::quiet_NaN();
  return model;
}

} // namespace sluice::test

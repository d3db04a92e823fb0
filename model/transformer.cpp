// SPDX-License-Identifier: Apache-2.0
#include "model/transformer.hpp"

#include "kernels/contracts.hpp"

#include <cmath>
#include <cstring>
#include <utility>

namespace sluice {

/// One layer's way through the buffers of the scratch memory.
struct transformer::layer_pass {
  const layer_weights& weights;
  kv_view cache;
  const step_positions& step;
  transformer_scratch& scratch;
  thread_pool& pool;
  std::int64_t rows; // positions that still go on

  activations of(const activations& buffer) const {
    return first_rows(buffer, rows);
  }
};

namespace {

/// Moves the kept rows to the front.
/// @param kept  ascending, so that no row is overwritten before it moved.
void keep_rows(const activations& buffer, std::span<const std::int32_t> kept) {
  const auto bytes = static_cast<std::size_t>(buffer.columns) * sizeof(float);
  auto* to = buffer.data;
  for (const auto row : kept) {
    std::memmove(to, buffer.data + row * buffer.row_stride, bytes);
    to += buffer.row_stride;
  }
}

template <class... Weights>
bool quantize_input(const Weights&... weights) {
  return (quantizes_input(weights.type) && ...);
}

quantized_rows room_if(bool quantized, const transformer_scratch& scratch) {
  return quantized ? scratch.workspace : quantized_rows{};
}

} // namespace

transformer::transformer(std::shared_ptr<const loaded_model> model,
                         const op_table& ops)
    : model_{std::move(model)}, ops_{&ops},
      inv_freq_{
          rope_frequencies(model_->arch.rope, model_->tensors.rope_divisors)} {}

void transformer::forward(const step_positions& step, const kv_store& cache,
                          transformer_scratch& scratch,
                          thread_pool& pool) const {
  const auto& layers = model_->tensors.layers;
  const auto rows = static_cast<std::int64_t>(step.tokens.size());
  begin(step, scratch, pool);
  for (std::uint32_t i = 0; i < layers.size(); ++i) {
    layer_pass pass{layers[i], cache.layer(i), step, scratch, pool, rows};
    project_qkv(pass);
    attend(pass);
    if (i + 1 == layers.size())
      keep_wanted(pass);
    if (pass.rows == 0)
      return;
    project_attended(pass);
    const auto& w = pass.weights;
    add_and_norm(pass, {w.ffn_norm, quantize_input(w.gate, w.up)});
    feed_forward(pass);
    add_and_norm(pass, norm_after(i));
  }
}

void transformer::begin(const step_positions& step,
                        transformer_scratch& scratch, thread_pool& pool) const {
  const auto& arch = model_->arch;
  const auto rows = static_cast<std::int64_t>(step.tokens.size());
  const auto residual = first_rows(scratch.residual, rows);
  ops_->rope_angles({.positions = step.positions,
                     .inv_freq = inv_freq_,
                     .cos_sin = scratch.cos_sin.first(step.tokens.size() *
                                                      arch.rope.rotary_dim)},
                    pool);
  ops_->embed_rows(
      {.table = model_->tensors.embed, .ids = step.tokens, .out = residual},
      pool);
  const auto first = norm_of_layer(0);
  ops_->rms_norm({.x = residual,
                  .weight = first.weight,
                  .epsilon = arch.norm_epsilon,
                  .out = first_rows(scratch.normed, rows),
                  .quantized = room_if(first.quantized, scratch)},
                 pool);
}

void transformer::project_qkv(const layer_pass& pass) const {
  const auto& w = pass.weights;
  const auto x = pass.of(pass.scratch.normed);
  const auto [q, k, v] = split_qkv(pass);
  const projection all[] = {
      {w.q, w.q_bias, q}, {w.k, w.k_bias, k}, {w.v, w.v_bias, v}};
  matmul(pass, x, all, quantize_input(w.q, w.k, w.v));
}

void transformer::attend(const layer_pass& pass) const {
  const auto& arch = model_->arch;
  const auto [q, k, v] = split_qkv(pass);
  ops_->rope_store_kv({.q = q,
                       .k = k,
                       .v = v,
                       .cos_sin = pass.scratch.cos_sin.first(
                           pass.step.tokens.size() * arch.rope.rotary_dim),
                       .rotary_dim = arch.rope.rotary_dim,
                       .layout = arch.rope.layout,
                       .slots = pass.step.slots,
                       .cache = pass.cache},
                      pass.pool);
  ops_->paged_attention(
      {.q = q,
       .cache = pass.cache,
       .sequences = pass.step.tables,
       .row_sequences = pass.step.sequence_of,
       .positions = pass.step.positions,
       .heads = arch.heads,
       .scale = 1 / std::sqrt(static_cast<float>(arch.head_dim)),
       .window = arch.sliding_window,
       .out = pass.of(pass.scratch.attended),
       .workspace = pass.scratch.workspace},
      pass.pool);
}

void transformer::project_attended(const layer_pass& pass) const {
  const projection out{pass.weights.o, {}, pass.of(pass.scratch.update)};
  matmul(pass, pass.of(pass.scratch.attended), {&out, 1});
}

void transformer::feed_forward(const layer_pass& pass) const {
  const auto& w = pass.weights;
  const auto x = pass.of(pass.scratch.normed);
  const auto both = pass.of(pass.scratch.gate_up);
  const auto gate = columns_of(both, 0, w.gate.rows);
  const auto up = columns_of(both, w.gate.rows, w.up.rows);
  const projection in[] = {{w.gate, {}, gate}, {w.up, {}, up}};
  const projection out{w.down, {}, pass.of(pass.scratch.update)};
  matmul(pass, x, in, quantize_input(w.gate, w.up));
  const bool quantized = quantize_input(w.down);
  ops_->swiglu({.gate = gate,
                .up = up,
                .out = gate,
                .quantized = room_if(quantized, pass.scratch)},
               pass.pool);
  matmul(pass, gate, {&out, 1}, quantized);
}

void transformer::add_and_norm(const layer_pass& pass, const norm& next) const {
  ops_->add_rms_norm({.x = pass.of(pass.scratch.update),
                      .residual = pass.of(pass.scratch.residual),
                      .weight = next.weight,
                      .epsilon = model_->arch.norm_epsilon,
                      .out = pass.of(pass.scratch.normed),
                      .quantized = room_if(next.quantized, pass.scratch)},
                     pass.pool);
}

void transformer::keep_wanted(layer_pass& pass) const {
  // Every K and V is stored: the rest of the last layer, the final norm and
  // the logits concern the wanted positions alone.
  keep_rows(pass.scratch.attended, pass.step.wanted);
  keep_rows(pass.scratch.residual, pass.step.wanted);
  pass.rows = static_cast<std::int64_t>(pass.step.wanted.size());
}

activations transformer::logits(std::int64_t first, std::int64_t count,
                                transformer_scratch& scratch,
                                thread_pool& pool) const {
  auto hidden = first_rows(scratch.normed, count);
  hidden.data += first * hidden.row_stride;
  const auto out = first_rows(scratch.logits, count);
  const projection head{model_->tensors.lm_head, {}, out};
  ops_->matmul(
      {.x = hidden, .projections = {&head, 1}, .workspace = scratch.workspace},
      pool);
  return out;
}

transformer::qkv_parts transformer::split_qkv(const layer_pass& pass) const {
  const auto all = pass.of(pass.scratch.qkv);
  const auto& w = pass.weights;
  return {columns_of(all, 0, w.q.rows), columns_of(all, w.q.rows, w.k.rows),
          columns_of(all, w.q.rows + w.k.rows, w.v.rows)};
}

void transformer::matmul(const layer_pass& pass, const activations& x,
                         std::span<const projection> projections,
                         bool quantized) const {
  ops_->matmul({.x = x,
                .projections = projections,
                .workspace = pass.scratch.workspace,
                .quantized = quantized},
               pass.pool);
}

transformer::norm transformer::norm_of_layer(std::size_t layer) const {
  const auto& w = model_->tensors.layers[layer];
  return {w.attn_norm, quantize_input(w.q, w.k, w.v)};
}

transformer::norm transformer::norm_after(std::size_t layer) const {
  // The final norm's rows are multiplied some at a time.
  const auto& tensors = model_->tensors;
  return layer + 1 < tensors.layers.size() ? norm_of_layer(layer + 1)
                                           : norm{tensors.final_norm, false};
}

} // namespace sluice

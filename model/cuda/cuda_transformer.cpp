// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_transformer.hpp"

#include <cmath>
#include <span>
#include <utility>

namespace sluice {

/// One layer's way through the buffers of the scratch memory.
struct cuda_transformer::layer_pass {
  const cuda_layer& weights;
  kv_view cache;
  const cuda_step& step;
  cuda_scratch& scratch;
  cuda::stream& in;

  std::int64_t rows() const { return step.sizes.rows; }
  cuda::device_rows of(const cuda::device_rows& buffer) const {
    return first_rows(buffer, rows());
  }
};

namespace {

dtype operand_of(const cuda::device_weight& weight) {
  return cuda::operand_type(weight.form);
}

} // namespace

cuda_transformer::cuda_transformer(const architecture& arch,
                                   cuda_weights weights, cuda::determinism mode)
    : arch_{arch}, weights_{std::move(weights)}, mode_{mode} {}

void cuda_transformer::forward(const cuda_step& step, const cuda_cache& cache,
                               cuda_scratch& scratch, cuda::stream& in) const {
  begin(step, scratch, in);
  const auto& layers = weights_.layers;
  for (std::uint32_t i = 0; i < layers.size(); ++i) {
    const layer_pass pass{layers[i], cache.layer(i), step, scratch, in};
    attend(pass);
    add_and_norm(pass, pass.weights.ffn_norm, operand_of(pass.weights.gate));
    feed_forward(pass);
    if (i + 1 < layers.size())
      add_and_norm(pass, layers[i + 1].attn_norm, operand_of(layers[i + 1].q));
    else
      finish(pass);
  }
}

void cuda_transformer::begin(const cuda_step& step, cuda_scratch& scratch,
                             cuda::stream& in) const {
  const auto rows = step.sizes.rows;
  const auto residual = first_rows(scratch.residual, rows);
  const auto& first = weights_.layers.front();
  cuda::rope_angles({.positions = step.positions,
                     .inv_freq = weights_.inv_freq,
                     .rows = rows,
                     .rotary_dim = arch_.rope.rotary_dim,
                     .cos_sin = scratch.cos_sin},
                    in);
  cuda::embed({.table = weights_.embed,
               .type = weights_.embed_type,
               .vocabulary = arch_.vocab,
               .ids = step.tokens,
               .out = residual},
              in);
  cuda::rms_norm({.x = residual,
                  .weight = first.attn_norm,
                  .epsilon = arch_.norm_epsilon,
                  .out = first_rows(scratch.normed, rows, operand_of(first.q))},
                 in);
}

void cuda_transformer::attend(const layer_pass& pass) const {
  const auto& w = pass.weights;
  auto& scratch = pass.scratch;
  const auto all = pass.of(scratch.qkv);
  const auto q = columns_of(all, 0, w.q.rows);
  const auto k = columns_of(all, w.q.rows, w.k.rows);
  const auto v = columns_of(all, w.q.rows + w.k.rows, w.v.rows);
  multiply(pass, first_rows(scratch.normed, pass.rows(), operand_of(w.q)),
           {{w.q, w.q_bias, q}, {w.k, w.k_bias, k}, {w.v, w.v_bias, v}});
  cuda::rope_store_kv({.q = q,
                       .k = k,
                       .v = v,
                       .cos_sin = scratch.cos_sin,
                       .rotary_dim = arch_.rope.rotary_dim,
                       .layout = arch_.rope.layout,
                       .slots = pass.step.slots,
                       .cache = pass.cache,
                       .q_out = scratch.queries},
                      pass.in);
  const auto attended =
      first_rows(scratch.attended, pass.rows(), operand_of(w.o));
  cuda::paged_attention(
      {.q = scratch.queries,
       .cache = pass.cache,
       .tables = pass.step.tables,
       .row_sequences = pass.step.sequence_of,
       .positions = pass.step.positions,
       .rows = pass.rows(),
       .tiles = pass.step.tiles,
       .tile_count = pass.step.tile_count,
       .single_rows = pass.step.single_rows,
       .single_count = pass.step.single_count,
       .heads = arch_.heads,
       .scale = 1 / std::sqrt(static_cast<float>(arch_.head_dim)),
       .window = arch_.sliding_window,
       .longest = pass.step.sizes.longest,
       .out = attended,
       .workspace = scratch.attention_workspace,
       .workspace_bytes = scratch.attention_workspace_bytes},
      pass.in);
  multiply(pass, attended, {{w.o, nullptr, pass.of(scratch.update)}});
}

void cuda_transformer::feed_forward(const layer_pass& pass) const {
  const auto& w = pass.weights;
  auto& scratch = pass.scratch;
  const auto both = pass.of(scratch.gate_up);
  const auto gate = columns_of(both, 0, w.gate.rows);
  const auto up = columns_of(both, w.gate.rows, w.up.rows);
  const auto gated = first_rows(scratch.gated, pass.rows(), operand_of(w.down));
  multiply(pass, first_rows(scratch.normed, pass.rows(), operand_of(w.gate)),
           {{w.gate, nullptr, gate}, {w.up, nullptr, up}});
  cuda::swiglu({.gate = gate, .up = up, .out = gated}, pass.in);
  multiply(pass, gated, {{w.down, nullptr, pass.of(scratch.update)}});
}

void cuda_transformer::add_and_norm(const layer_pass& pass, const float* weight,
                                    dtype operand) const {
  cuda::rms_norm({.x = pass.of(pass.scratch.residual),
                  .update = pass.of(pass.scratch.update),
                  .weight = weight,
                  .epsilon = arch_.norm_epsilon,
                  .out = first_rows(pass.scratch.normed, pass.rows(), operand)},
                 pass.in);
}

// The final norm concerns the wanted positions alone.
void cuda_transformer::finish(const layer_pass& pass) const {
  auto& scratch = pass.scratch;
  const auto operand = operand_of(weights_.lm_head);
  const auto& sizes = pass.step.sizes;
  if (sizes.all_wanted)
    return add_and_norm(pass, weights_.final_norm, operand);
  if (sizes.wanted == 0)
    return;
  const auto kept = first_rows(scratch.kept, sizes.wanted);
  const auto update = first_rows(scratch.kept_update, sizes.wanted);
  cuda::gather_rows({pass.of(scratch.residual), pass.step.wanted, kept},
                    pass.in);
  cuda::gather_rows({pass.of(scratch.update), pass.step.wanted, update},
                    pass.in);
  cuda::rms_norm({.x = kept,
                  .update = update,
                  .weight = weights_.final_norm,
                  .epsilon = arch_.norm_epsilon,
                  .out = first_rows(scratch.normed, sizes.wanted, operand)},
                 pass.in);
}

cuda::device_rows cuda_transformer::logits(std::int64_t first,
                                           std::int64_t count,
                                           cuda_scratch& scratch,
                                           cuda::stream& in) const {
  auto hidden = first_rows(scratch.normed, count, operand_of(weights_.lm_head));
  hidden.data +=
      first * static_cast<std::int64_t>(row_bytes(hidden.type, hidden.columns));
  hidden.scales += first;
  const auto out = first_rows(scratch.logits, count);
  const cuda::device_projection head{weights_.lm_head, nullptr, out};
  cuda::matmul({.x = hidden,
                .projections = {&head, 1},
                .workspace = scratch.matmul_workspace,
                .workspace_bytes = scratch.matmul_workspace_bytes,
                .mode = mode_},
               in);
  return out;
}

void cuda_transformer::multiply(
    const layer_pass& pass, const cuda::operand& x,
    std::initializer_list<cuda::device_projection> into) const {
  cuda::matmul({.x = x,
                .projections = {into.begin(), into.size()},
                .workspace = pass.scratch.matmul_workspace,
                .workspace_bytes = pass.scratch.matmul_workspace_bytes,
                .mode = mode_},
               pass.in);
}

} // namespace sluice

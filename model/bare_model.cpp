// SPDX-License-Identifier: Apache-2.0
#include "model/bare_model.hpp"

#include "model/synth_shapes.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

architecture describe(const synth_shape& shape, std::uint32_t context) {
  architecture arch;
  arch.family = "llama";
  arch.layers = shape.layers;
  arch.hidden = shape.hidden;
  arch.heads = shape.heads;
  arch.kv_heads = shape.kv_heads;
  arch.head_dim = shape.head_dim();
  arch.ffn = shape.ffn;
  arch.vocab = shape.vocabulary;
  arch.context = context > 0 ? context : shape.context;
  arch.norm_epsilon = shape.norm_epsilon;
  arch.rope.theta = shape.rope_theta;
  arch.rope.rotary_dim = arch.head_dim;
  check_architecture(arch, shape.name);
  return arch;
}

/// The matrices of a type; norms are ones, all in the same place.
weights bare_weights(const architecture& arch, dtype type) {
  const auto matrix = [type](std::int64_t rows, std::int64_t columns) {
    return matrix_view{.type = type,
                       .rows = rows,
                       .columns = columns,
                       .row_stride_bytes = row_bytes(type, columns)};
  };
  const std::int64_t hidden = arch.hidden, ffn = arch.ffn;
  const std::int64_t heads = std::int64_t{arch.heads} * arch.head_dim;
  const std::int64_t kv = std::int64_t{arch.kv_heads} * arch.head_dim;
  weights all;
  all.memory =
      mapping{arch.hidden * sizeof(float), "the norms of a bare model"};
  const std::span norm{reinterpret_cast<float*>(all.memory.data()),
                       arch.hidden};
  std::fill(norm.begin(), norm.end(), 1.0f);
  all.embed = all.lm_head = matrix(arch.vocab, hidden);
  all.final_norm = norm;
  all.layers.assign(arch.layers, {.q = matrix(heads, hidden),
                                  .k = matrix(kv, hidden),
                                  .v = matrix(kv, hidden),
                                  .o = matrix(hidden, heads),
                                  .gate = matrix(ffn, hidden),
                                  .up = matrix(ffn, hidden),
                                  .down = matrix(hidden, ffn),
                                  .attn_norm = norm,
                                  .ffn_norm = norm});
  return all;
}

} // namespace

std::shared_ptr<const loaded_model> bare_model(const synth_options& options) {
  const auto& shape = find_synth_shape(options.shape);
  const auto refuse = [&](const char* what, const char* remedy) {
    throw model_error(model_fault::unsupported, {options.shape, ""}, what,
                      remedy);
  };
  if (shape.experts > 0)
    refuse("it has experts", "choose a shape without them");
  const auto block = block_elements(options.type);
  if (shape.hidden % block != 0 || shape.ffn % block != 0)
    refuse("its rows are not whole blocks of the type", "choose another type");
  return bare_model(std::string{shape.name} + '-' +
                        std::string{name(options.type)},
                    describe(shape, options.context), options.type);
}

std::shared_ptr<const loaded_model>
bare_model(std::string name, const architecture& arch, dtype type) {
  auto model = std::make_shared<loaded_model>();
  model->name = std::move(name);
  model->arch = arch;
  model->tensors = bare_weights(arch, type);
  return model;
}

} // namespace sluice

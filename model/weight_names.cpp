// SPDX-License-Identifier: Apache-2.0
#include "model/weight_names.hpp"

#include "kernels/check.hpp"

#include <algorithm>

namespace sluice {

namespace {

constexpr weight_names hugging_face{
    .embed = "model.embed_tokens.weight",
    .final_norm = "model.norm.weight",
    .lm_head = "lm_head.weight",
    .rope_divisors = "",
    .attn_norm = "model.layers.#.input_layernorm.weight",
    .q = "model.layers.#.self_attn.q_proj.weight",
    .k = "model.layers.#.self_attn.k_proj.weight",
    .v = "model.layers.#.self_attn.v_proj.weight",
    .o = "model.layers.#.self_attn.o_proj.weight",
    .q_bias = "model.layers.#.self_attn.q_proj.bias",
    .k_bias = "model.layers.#.self_attn.k_proj.bias",
    .v_bias = "model.layers.#.self_attn.v_proj.bias",
    .ffn_norm = "model.layers.#.post_attention_layernorm.weight",
    .gate = "model.layers.#.mlp.gate_proj.weight",
    .up = "model.layers.#.mlp.up_proj.weight",
    .down = "model.layers.#.mlp.down_proj.weight",
};

constexpr weight_names gguf{
    .embed = "token_embd.weight",
    .final_norm = "output_norm.weight",
    .lm_head = "output.weight",
    .rope_divisors = "rope_freqs.weight",
    .attn_norm = "blk.#.attn_norm.weight",
    .q = "blk.#.attn_q.weight",
    .k = "blk.#.attn_k.weight",
    .v = "blk.#.attn_v.weight",
    .o = "blk.#.attn_output.weight",
    .q_bias = "blk.#.attn_q.bias",
    .k_bias = "blk.#.attn_k.bias",
    .v_bias = "blk.#.attn_v.bias",
    .ffn_norm = "blk.#.ffn_norm.weight",
    .gate = "blk.#.ffn_gate.weight",
    .up = "blk.#.ffn_up.weight",
    .down = "blk.#.ffn_down.weight",
};

} // namespace

const weight_names& names_for(checkpoint_format format) {
  return format == checkpoint_format::gguf ? gguf : hugging_face;
}

std::string gguf_name(std::string_view name, checkpoint_format format) {
  using names = weight_names;
  constexpr std::string_view names::*roles[] = {
      &names::embed,   &names::final_norm,
      &names::lm_head, &names::attn_norm,
      &names::q,       &names::k,
      &names::v,       &names::o,
      &names::q_bias,  &names::k_bias,
      &names::v_bias,  &names::ffn_norm,
      &names::gate,    &names::up,
      &names::down,    &names::rope_divisors};
  for (const auto role : roles) {
    const std::string_view pattern = names_for(format).*role;
    const auto at = std::min(pattern.find('#'), pattern.size());
    const auto tail = pattern.substr(std::min(at + 1, pattern.size()));
    const bool same =
        at == pattern.size()
            ? name == pattern
            : name.starts_with(pattern.substr(0, at)) && name.ends_with(tail);
    if (!same)
      continue;
    std::string result(gguf.*role);
    if (const auto layer = result.find('#'); layer != result.npos)
      result.replace(layer, 1, name.substr(at, name.size() - at - tail.size()));
    return result;
  }
  throw contract_violation("gguf_name: '" + std::string(name) +
                           "' is no weight's name; take it from a plan");
}

std::string scale_name(std::string_view weight) {
  return std::string(weight) + "_scale";
}

std::string layer_weight(std::string_view pattern, std::uint32_t layer) {
  std::string name(pattern);
  if (const auto at = name.find('#'); at != name.npos)
    name.replace(at, 1, std::to_string(layer));
  return name;
}

} // namespace sluice

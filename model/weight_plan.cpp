// SPDX-License-Identifier: Apache-2.0
#include "model/weight_plan.hpp"

#include "model/checkpoint/checked.hpp"
#include "model/weight_names.hpp"

#include <algorithm>
#include <unordered_set>

namespace sluice {

namespace {

class planner {
public:
  planner(const checkpoint& model, const architecture& arch,
          const load_options& options, weights& target)
      : model_(model), arch_(arch), options_(options), target_(target),
        names_(names_for(model.format())), file_(model.label()) {}

  weight_plan run();

private:
  void plan_layer(std::uint32_t layer);
  void plan_biases(layer_weights& layer, std::uint32_t number);
  void plan_output();
  void matrix(std::string name, matrix_view& target, std::uint64_t rows,
              std::uint64_t columns, bool packed = true);
  void vector(std::string name, std::span<const float>& target,
              std::uint64_t columns);
  stored_matrix find(const std::string& name,
                     std::span<const std::uint64_t> shape);
  void pack(weight_placement& placement) const;
  void place(weight_placement placement);
  dtype matrix_type(dtype found, std::uint64_t columns) const;
  void refuse_leftovers() const;
  bool has(std::string_view name) const {
    return !name.empty() && model_.find(name);
  }

  const checkpoint& model_;
  const architecture& arch_;
  const load_options& options_;
  weights& target_;
  const weight_names& names_;
  std::string file_;
  std::unordered_set<std::string_view> used_;
  weight_plan plan_;
};

weight_plan planner::run() {
  // Multiplied only when it is the output matrix too.
  matrix(std::string(names_.embed), target_.embed, arch_.vocab, arch_.hidden,
         arch_.tied_embeddings);
  target_.layers.resize(arch_.layers);
  for (std::uint32_t layer = 0; layer < arch_.layers; ++layer)
    plan_layer(layer);
  vector(std::string(names_.final_norm), target_.final_norm, arch_.hidden);
  plan_output();
  if (has(names_.rope_divisors))
    vector(std::string(names_.rope_divisors), target_.rope_divisors,
           arch_.rope.rotary_dim / 2);
  refuse_leftovers();
  return std::move(plan_);
}

void planner::plan_layer(std::uint32_t number) {
  auto& layer = target_.layers[number];
  const std::uint64_t hidden = arch_.hidden, ffn = arch_.ffn;
  const std::uint64_t q_rows = std::uint64_t{arch_.heads} * arch_.head_dim;
  const std::uint64_t kv_rows = std::uint64_t{arch_.kv_heads} * arch_.head_dim;
  const auto name = [&](std::string_view role) {
    return layer_weight(role, number);
  };
  vector(name(names_.attn_norm), layer.attn_norm, hidden);
  matrix(name(names_.q), layer.q, q_rows, hidden);
  matrix(name(names_.k), layer.k, kv_rows, hidden);
  matrix(name(names_.v), layer.v, kv_rows, hidden);
  matrix(name(names_.o), layer.o, hidden, q_rows);
  vector(name(names_.ffn_norm), layer.ffn_norm, hidden);
  matrix(name(names_.gate), layer.gate, ffn, hidden);
  matrix(name(names_.up), layer.up, ffn, hidden);
  matrix(name(names_.down), layer.down, hidden, ffn);
  if (arch_.attention_bias)
    plan_biases(layer, number);
}

void planner::plan_biases(layer_weights& layer, std::uint32_t number) {
  const std::uint64_t q_rows = std::uint64_t{arch_.heads} * arch_.head_dim;
  const std::uint64_t kv_rows = std::uint64_t{arch_.kv_heads} * arch_.head_dim;
  vector(layer_weight(names_.q_bias, number), layer.q_bias, q_rows);
  vector(layer_weight(names_.k_bias, number), layer.k_bias, kv_rows);
  vector(layer_weight(names_.v_bias, number), layer.v_bias, kv_rows);
}

void planner::plan_output() {
  if (!arch_.tied_embeddings)
    return matrix(std::string(names_.lm_head), target_.lm_head, arch_.vocab,
                  arch_.hidden);
  for (const auto& copy :
       {std::string(names_.lm_head), scale_name(names_.lm_head)})
    if (const auto* tied = model_.find(copy)) // some writers store it too
      used_.insert(tied->name);
}

void planner::matrix(std::string name, matrix_view& target, std::uint64_t rows,
                     std::uint64_t columns, bool packed) {
  const std::uint64_t shape[] = {rows, columns};
  weight_placement placement{.name = std::move(name), .target = &target};
  placement.source = find(placement.name, shape);
  placement.numbers = matrix_type(placement.source.type, columns);
  const bool widened = placement.numbers == dtype::fp8 && !options_.fp8;
  placement.stored = widened ? dtype::bf16 : placement.numbers;
  placement.stride_bytes =
      row_bytes(placement.stored, static_cast<std::int64_t>(columns));
  if (packed && options_.packing)
    pack(placement);
  place(std::move(placement));
}

void planner::vector(std::string name, std::span<const float>& target,
                     std::uint64_t columns) {
  weight_placement placement{.name = std::move(name), .target = &target};
  placement.source = find(placement.name, {&columns, 1});
  placement.stride_bytes =
      row_bytes(dtype::f32, static_cast<std::int64_t>(columns));
  place(std::move(placement));
}

stored_matrix planner::find(const std::string& name,
                            std::span<const std::uint64_t> shape) {
  const auto found = find_matrix(model_, name, shape);
  if (!found)
    throw model_error(model_fault::missing, {file_, "tensor '" + name + "'"},
                      "the tensor is absent",
                      "the file does not hold the whole model; fetch it again");
  used_.insert(found->tensor->name);
  if (found->scales)
    used_.insert(found->scales->name);
  return *found;
}

void planner::pack(weight_placement& placement) const {
  const auto bytes = options_.packing->panel_bytes(
      placement.stored, static_cast<std::int64_t>(placement.source.columns));
  if (bytes == 0)
    return;
  placement.layout = weight_layout::panels;
  placement.panel_rows = options_.packing->panel_rows;
  placement.stride_bytes = bytes;
}

void planner::place(weight_placement placement) {
  const std::string subject = "tensor '" + placement.name + "'";
  const fault_site site{file_, subject};
  const auto panel = static_cast<std::uint64_t>(placement.panel_rows);
  const auto strides =
      checked_u64(placement.source.rows).rounded_up(panel).value(site) / panel;
  placement.bytes = (checked_u64(placement.stride_bytes) * strides).value(site);
  placement.offset = plan_.bytes;
  plan_.bytes =
      (checked_u64(plan_.bytes) + placement.bytes).rounded_up(64).value(site);
  plan_.placements.push_back(std::move(placement));
}

dtype planner::matrix_type(dtype found, std::uint64_t columns) const {
  const dtype wanted = options_.weight_type.value_or(found);
  const auto block = static_cast<std::uint64_t>(block_elements(wanted));
  return columns % block == 0 ? wanted : found;
}

/// What is made anew, and better: frequencies, and the scales that a calibrated
/// model would round all activations or all of its KV cache with, in the place
/// of which every row gets one of its own.
bool is_never_read(std::string_view name) {
  constexpr std::string_view tails[] = {"rotary_emb.inv_freq", ".input_scale",
                                        ".self_attn.k_scale",
                                        ".self_attn.v_scale"};
  return std::ranges::any_of(
      tails, [&](std::string_view tail) { return name.ends_with(tail); });
}

/// A tensor without a role means that the model computes something that the
/// forward pass would silently leave out.
void planner::refuse_leftovers() const {
  for (const auto& tensor : model_.tensors())
    if (!used_.contains(tensor.name) && !is_never_read(tensor.name))
      throw model_error(model_fault::unsupported,
                        {file_, "tensor '" + tensor.name + "'"},
                        arch_.family + " has no role for this tensor",
                        "known families: llama, mistral, qwen2");
}

} // namespace

weight_plan plan_weights(const checkpoint& model, const architecture& arch,
                         const load_options& options, weights& target) {
  return planner(model, arch, options, target).run();
}

} // namespace sluice

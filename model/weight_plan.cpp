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
          std::optional<dtype> weight_type, weights& target)
      : model_(model), arch_(arch), weight_type_(weight_type), target_(target),
        names_(names_for(model.format())), file_(model.label()) {}

  weight_plan run();

private:
  void plan_layer(std::uint32_t layer);
  void plan_biases(layer_weights& layer, std::uint32_t number);
  void plan_output();
  void matrix(std::string name, matrix_view& target, std::uint64_t rows,
              std::uint64_t columns);
  void vector(std::string name, std::span<const float>& target,
              std::uint64_t columns);
  void place(weight_placement placement);
  void check_shape(const weight_placement& placement) const;
  dtype usable_type(const weight_placement& placement) const;
  dtype matrix_type(dtype found, std::uint64_t columns) const;
  void refuse_leftovers() const;
  bool has(std::string_view name) const {
    return !name.empty() && model_.find(name);
  }

  const checkpoint& model_;
  const architecture& arch_;
  std::optional<dtype> weight_type_;
  weights& target_;
  const weight_names& names_;
  std::string file_;
  std::unordered_set<std::string_view> used_;
  weight_plan plan_;
};

weight_plan planner::run() {
  matrix(std::string(names_.embed), target_.embed, arch_.vocab, arch_.hidden);
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
  used_.insert(names_.lm_head); // some writers store the tied copy too
}

void planner::matrix(std::string name, matrix_view& target, std::uint64_t rows,
                     std::uint64_t columns) {
  place({.name = std::move(name),
         .target = &target,
         .rows = rows,
         .columns = columns});
}

void planner::vector(std::string name, std::span<const float>& target,
                     std::uint64_t columns) {
  place({.name = std::move(name),
         .target = &target,
         .rows = 1,
         .columns = columns});
}

void planner::place(weight_placement placement) {
  const std::string subject = "tensor '" + placement.name + "'";
  const fault_site site{file_, subject};
  placement.tensor = model_.find(placement.name);
  if (!placement.tensor)
    throw model_error(model_fault::missing, site, "the tensor is absent",
                      "the file does not hold the whole model; fetch it again");
  used_.insert(placement.tensor->name);
  check_shape(placement);
  const dtype found = usable_type(placement);
  const bool is_matrix = std::holds_alternative<matrix_view*>(placement.target);
  placement.stored =
      is_matrix ? matrix_type(found, placement.columns) : dtype::f32;
  const auto columns = static_cast<std::int64_t>(placement.columns);
  placement.bytes =
      (checked_u64(row_bytes(placement.stored, columns)) * placement.rows)
          .value(site);
  placement.offset = plan_.bytes;
  plan_.bytes =
      (checked_u64(plan_.bytes) + placement.bytes).rounded_up(64).value(site);
  plan_.placements.push_back(std::move(placement));
}

void planner::check_shape(const weight_placement& placement) const {
  const bool is_matrix = std::holds_alternative<matrix_view*>(placement.target);
  const std::uint64_t expected[] = {placement.rows, placement.columns};
  const auto wanted = std::span(expected).subspan(is_matrix ? 0 : 1);
  const auto found = placement.tensor->dimensions();
  if (std::ranges::equal(wanted, found))
    return;
  throw model_error(
      model_fault::bad_shape, {file_, "tensor '" + placement.name + "'"},
      "expected shape " + shape_text(wanted) + ", found " + shape_text(found),
      "the configuration and the weights do not belong together");
}

dtype planner::usable_type(const weight_placement& placement) const {
  const auto& type = *placement.tensor->type;
  if (type.usable)
    return *type.usable;
  throw model_error(
      model_fault::unsupported, {file_, "tensor '" + placement.name + "'"},
      "type " + std::string(type.name) + " is not supported",
      "convert the model to one of " + std::string(usable_type_list()));
}

dtype planner::matrix_type(dtype found, std::uint64_t columns) const {
  const dtype wanted = weight_type_.value_or(found);
  const auto block = static_cast<std::uint64_t>(block_elements(wanted));
  return columns % block == 0 ? wanted : found;
}

/// A tensor without a role means that the model computes something that the
/// forward pass would silently leave out.
void planner::refuse_leftovers() const {
  for (const auto& tensor : model_.tensors())
    if (!used_.contains(tensor.name) &&
        !tensor.name.ends_with("rotary_emb.inv_freq")) // made anew, never read
      throw model_error(model_fault::unsupported,
                        {file_, "tensor '" + tensor.name + "'"},
                        arch_.family + " has no role for this tensor",
                        "known families: llama, mistral, qwen2");
}

} // namespace

weight_plan plan_weights(const checkpoint& model, const architecture& arch,
                         std::optional<dtype> weight_type, weights& target) {
  return planner(model, arch, weight_type, target).run();
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/quantize/recipe.hpp"

#include <charconv>

namespace sluice {

namespace {

constexpr quantize_recipe same(std::string_view name, dtype type,
                               std::optional<std::uint32_t> file_type) {
  return {name, type, type, file_type};
}

// The numbers are those of general.file_type in the GGUF specification.
constexpr quantize_recipe recipes[] = {
    same("f32", dtype::f32, 0),        same("f16", dtype::f16, 1),
    same("bf16", dtype::bf16, 32),     same("q8_0", dtype::q8_0, 7),
    same("q4_0", dtype::q4_0, 2),      same("q4_1", dtype::q4_1, 3),
    same("q5_0", dtype::q5_0, 8),      same("q5_1", dtype::q5_1, 9),
    same("q2_k", dtype::q2_k, 10),     same("q3_k", dtype::q3_k, 11),
    same("q4_k", dtype::q4_k, 14),     {"q4_k_m", dtype::q4_k, dtype::q6_k, 15},
    same("q5_k", dtype::q5_k, 16),     {"q5_k_m", dtype::q5_k, dtype::q6_k, 17},
    same("q6_k", dtype::q6_k, 18),     same("iq4_nl", dtype::iq4_nl, 25),
    same("iq4_xs", dtype::iq4_xs, 30), same("mxfp4", dtype::mxfp4, {}),
    same("w8a8", dtype::w8a8, {}),     same("fp8", dtype::fp8, {}),
};

/// The number in "blk.3.attn_v.weight".
std::uint32_t layer_of(std::string_view name) {
  constexpr std::string_view prefix = "blk.";
  std::uint32_t layer = 0;
  if (name.starts_with(prefix))
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(),
                    layer);
  return layer;
}

/// The first and the last eighth of the layers, and every third between.
bool in_finer_half(std::uint32_t layer, std::uint32_t layers) {
  const auto eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

bool matters_most(const recipe_matrix& matrix) {
  if (matrix.name == "output.weight")
    return true;
  if (matrix.name == "token_embd.weight")
    return matrix.tied;
  const bool counted = matrix.name.ends_with("attn_v.weight") ||
                       matrix.name.ends_with("ffn_down.weight");
  return counted && in_finer_half(layer_of(matrix.name), matrix.layers);
}

dtype with_small_blocks(dtype type) {
  switch (type) {
  case dtype::q2_k:
  case dtype::q3_k:
  case dtype::iq4_xs:
    return dtype::iq4_nl;
  case dtype::q4_k:
    return dtype::q5_0;
  case dtype::q5_k:
    return dtype::q5_1;
  case dtype::q6_k:
    return dtype::q8_0;
  default:
    return type;
  }
}

} // namespace

const quantize_recipe* find_recipe(std::string_view name) {
  for (const auto& recipe : recipes)
    if (recipe.name == name)
      return &recipe;
  return nullptr;
}

std::string recipe_list() {
  std::string list;
  for (const auto& recipe : recipes)
    list.append(list.empty() ? "" : ", ").append(recipe.name);
  return list;
}

std::optional<dtype> recipe_type(const quantize_recipe& recipe,
                                 const recipe_matrix& matrix) {
  const dtype wanted = matters_most(matrix) ? recipe.finer : recipe.most;
  for (const dtype type : {wanted, with_small_blocks(wanted)})
    if (matrix.columns % block_elements(type) == 0)
      return type;
  return std::nullopt;
}

} // namespace sluice

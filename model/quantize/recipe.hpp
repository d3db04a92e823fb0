// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// Which type each matrix of a model gets: one for all, or a mixture that
/// keeps the matrices that matter most at a finer type.
struct quantize_recipe {
  std::string_view name; ///< a weight type, "q4_k_m" or "q5_k_m"
  dtype most;            ///< of most matrices
  dtype finer;           ///< of the output matrix and of the values and the
                         ///< down projection in half of the layers; == most
                         ///< if the recipe is no mixture
  std::optional<std::uint32_t> file_type; ///< general.file_type, if it has one
};

/// @return nullptr for an unknown name.
const quantize_recipe* find_recipe(std::string_view name);

/// "f16, bf16, q8_0, ..": for help and error texts.
std::string recipe_list();

/// A matrix as a recipe sees it.
struct recipe_matrix {
  std::string_view name;    ///< in GGUF: "blk.3.attn_v.weight"
  std::uint32_t layers = 0; ///< of the model
  bool tied = false;        ///< whether the embedding is the output matrix
  std::int64_t columns = 0;
};

/// The type that a recipe gives a matrix. Where rows are not whole blocks the
/// next type with blocks of 32 and at least as many bits takes its place:
/// iq4_nl for q2_k, q3_k and iq4_xs, q5_0 for q4_k, q5_1 for q5_k, q8_0 for
/// q6_k.
/// @return nothing if the rows are not whole blocks of that either.
/// @source the mixtures Q4_K_M and Q5_K_M as llama.cpp names them.
std::optional<dtype> recipe_type(const quantize_recipe& recipe,
                                 const recipe_matrix& matrix);

} // namespace sluice

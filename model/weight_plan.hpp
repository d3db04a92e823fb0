// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/weights.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sluice {

/// One weight's way from the file into memory.
struct weight_placement {
  std::string name;
  /// Matrices keep their type or take the wanted one; vectors become f32.
  std::variant<matrix_view*, std::span<const float>*> target;
  std::uint64_t rows = 0; ///< 1 for a vector
  std::uint64_t columns = 0;
  const tensor_info* tensor = nullptr;
  dtype stored = dtype::f32;
  std::uint64_t offset = 0; ///< in memory, a multiple of 64
  std::uint64_t bytes = 0;  ///< in memory
};

struct weight_plan {
  std::vector<weight_placement> placements;
  std::uint64_t bytes = 0;
};

/// Finds every weight of the architecture, checks its type and shape, and gives
/// it a place. Nothing is read.
/// @param target  whose members the placements will set; its layers are sized.
/// @throws model_error as load_weights().
weight_plan plan_weights(const checkpoint& model, const architecture& arch,
                         std::optional<dtype> weight_type, weights& target);

} // namespace sluice

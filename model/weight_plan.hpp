// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/stored_matrix.hpp"
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
  stored_matrix source;       ///< in the file
  dtype numbers = dtype::f32; ///< that they are rounded to
  // In memory:
  dtype stored = dtype::f32; ///< of fp8 bf16 where no kernel takes it
  weight_layout layout = weight_layout::rows;
  std::int64_t panel_rows = 1;    ///< of a panel, else 1
  std::uint64_t stride_bytes = 0; ///< of a row or a panel
  std::uint64_t offset = 0;       ///< a multiple of 64
  std::uint64_t bytes = 0;
};

struct weight_plan {
  std::vector<weight_placement> placements;
  std::uint64_t bytes = 0;
};

/// Finds every weight of the architecture, checks its type and shape, and gives
/// it a place. Nothing is read.
/// @param options  their weight_type and packing.
/// @param target  whose members the placements will set; its layers are sized.
/// @throws model_error as load_weights().
weight_plan plan_weights(const checkpoint& model, const architecture& arch,
                         const load_options& options, weights& target);

} // namespace sluice

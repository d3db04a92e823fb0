// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/loaded_model.hpp"
#include "model/synth.hpp"

#include <memory>
#include <string>

namespace sluice {

/// A model of a known shape, with its published vocabulary, whose matrices have
/// sizes and a type but no bytes: a GPU makes random weights for them where
/// they will lie (model/cuda/cuda_inventor.hpp), so that benchmarks need
/// neither a file nor the host's memory. It has no tokenizer.
/// @param options  shape, type, context; the seed is not looked at.
/// @throws model_error: unsupported for an unknown shape, one with experts, or
///         a type whose blocks do not fit into its rows.
std::shared_ptr<const loaded_model> bare_model(const synth_options& options);

/// The same of any sizes.
std::shared_ptr<const loaded_model>
bare_model(std::string name, const architecture& arch, dtype type);

/// Whether a matrix is one of those.
inline bool is_bare(const matrix_view& matrix) {
  return matrix.data == nullptr;
}

} // namespace sluice

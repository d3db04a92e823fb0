// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/quantize/recipe.hpp"
#include "model/weights.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sluice {

struct quantize_options {
  const quantize_recipe* recipe = nullptr;
  int threads = 2;
  progress_fn progress; ///< may throw, to give up
};

/// What was written.
struct quantize_summary {
  std::uint64_t bytes_in = 0;  ///< of the tensors
  std::uint64_t bytes_out = 0; ///< of the file
  std::uint64_t weights = 0;
  std::map<std::string, std::uint32_t> tensors; ///< how many of each type
  /// Matrices that could not have the type that the recipe gives them.
  std::vector<std::string> substitutes; ///< "blk.0.ffn_down.weight: q5_0"
  std::vector<std::string> notes;
};

/// Writes a model as a GGUF file with matrices of other types; norms and biases
/// become f32. Keys and tokenizer of a GGUF file are carried over, those of a
/// Hugging Face directory are written as GGUF names them, with the rows of q
/// and k in the order of its family. The output does not depend on `threads`.
/// GGUF has no 8-bit floats: of fp8 a directory is written, as quantize_fp8().
/// @param model  f32, f16 or bf16 matrices; others only if they have the very
///               type that the recipe gives them.
/// @param path   appears complete or not at all; replaced if it is there.
/// @throws model_error: unsupported for quantised input or a tokenizer that
///         GGUF cannot express, malformed for an element that the type cannot
///         hold, io; and as load_weights().
quantize_summary quantize(const std::filesystem::path& model,
                          const std::filesystem::path& path,
                          const quantize_options& options);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/architecture.hpp"
#include "model/weights.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace sluice {

class tokenizer;

/// Everything of a model that never changes after loading.
struct loaded_model {
  std::string name; ///< last component of its path
  architecture arch;
  weights tensors;
  std::shared_ptr<const tokenizer> text; ///< null if the files have none
};

/// Reads a model and, if there is one, its tokenizer.
/// @param path  a Hugging Face directory, a .safetensors or a .gguf file.
/// @throws model_error: one line with file, rule and remedy.
std::shared_ptr<const loaded_model>
load_model(const std::filesystem::path& path, const load_options& options = {});

} // namespace sluice

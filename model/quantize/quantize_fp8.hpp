// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/quantize/quantize.hpp"

#include <filesystem>

namespace sluice {

/// Writes a Hugging Face directory again with the matrices of its layers in
/// F8_E4M3, one scale a row: compressed-tensors, float-quantized, activations
/// to be rounded as they come. Embedding, output matrix, norms, biases and all
/// files beside the weights stay as they are.
/// @param model  a directory of F32, F16 or BF16 tensors.
/// @param path   the directory to make, which is not there yet; appears
///               complete or not at all.
/// @throws model_error: unsupported for a GGUF file or a quantised model,
///         malformed for an element that is no number, io; and as
///         load_weights().
quantize_summary quantize_fp8(const std::filesystem::path& model,
                              const std::filesystem::path& path,
                              const quantize_options& options);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace sluice {

/// Accepts the "quantization_config" of a safetensors model whose weights are
/// w8a8 or fp8: compressed-tensors, format int-quantized, 8 bits, symmetric,
/// one scale a channel, or float-quantized, one scale a channel or a tensor; or
/// the method fp8 without blocks. How activations would be rounded does not
/// matter: every row gets a scale.
/// @param file  the name for error texts.
/// @throws model_error (unsupported) for every other, (malformed) for values
///         of the wrong type.
/// @source the compressed-tensors package, quantization/quant_args.py.
void check_quantization(const nlohmann::json& description,
                        std::string_view file);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/architecture_quantization.hpp"

#include "model/checkpoint/json.hpp"

namespace sluice {

namespace {

using nlohmann::json;

void require_form(bool holds, std::string_view file, std::string_view rule) {
  if (!holds)
    throw model_error(model_fault::unsupported,
                      {file, "key 'quantization_config'"}, rule,
                      "quantise to compressed-tensors int-quantized (int8) or "
                      "float-quantized (FP8) per channel, or use the "
                      "unquantised model or a .gguf file");
}

void check_weights(const json& weights, bool floats, std::string_view file) {
  const json_reader reader(weights, file);
  require_form(reader.u64("num_bits", 8) == 8 &&
                   reader.text("type", "int") == (floats ? "float" : "int"),
               file,
               floats ? "its weights are not FP8" : "its weights are not int8");
  require_form(reader.flag("symmetric", true), file,
               "its weights have zero points");
  const auto strategy = reader.text("strategy", "channel");
  require_form(strategy == "channel" || (floats && strategy == "tensor"), file,
               "its weights do not have one scale a channel");
}

void check_groups(const json_reader& reader, bool floats,
                  std::string_view file) {
  const auto* groups = reader.object("config_groups");
  require_form(groups != nullptr && !groups->empty(), file,
               "it describes no weights");
  for (const auto& group : *groups) {
    require_form(group.is_object(), file, "a group is no object");
    const auto* weights = json_reader(group, file).object("weights");
    require_form(weights != nullptr, file, "a group has no weights");
    check_weights(*weights, floats, file);
  }
}

} // namespace

void check_quantization(const json& description, std::string_view file) {
  const json_reader reader(description, file);
  const auto method = reader.text("quant_method", "");
  if (method == "fp8")
    return require_form(!reader.has("weight_block_size"), file,
                        "its weights have one scale a block");
  const auto format = reader.text("format", "");
  const bool floats = format == "float-quantized";
  require_form(method == "compressed-tensors" &&
                   (floats || format == "int-quantized"),
               file, "its method and format are not supported");
  check_groups(reader, floats, file);
}

} // namespace sluice

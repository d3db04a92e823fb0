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
                      "quantise to compressed-tensors int-quantized with int8 "
                      "weights per channel, or use the unquantised model or a "
                      ".gguf file");
}

void check_weights(const json& weights, std::string_view file) {
  const json_reader reader(weights, file);
  require_form(reader.u64("num_bits", 8) == 8 &&
                   reader.text("type", "int") == "int",
               file, "its weights are not int8");
  require_form(reader.flag("symmetric", true), file,
               "its weights have zero points");
  require_form(reader.text("strategy", "channel") == "channel", file,
               "its weights do not have one scale a channel");
}

} // namespace

void check_quantization(const json& description, std::string_view file) {
  const json_reader reader(description, file);
  require_form(reader.text("quant_method", "") == "compressed-tensors" &&
                   reader.text("format", "") == "int-quantized",
               file, "its method and format are not supported");
  const auto* groups = reader.object("config_groups");
  require_form(groups != nullptr && !groups->empty(), file,
               "it describes no weights");
  for (const auto& group : *groups) {
    require_form(group.is_object(), file, "a group is no object");
    const auto* weights = json_reader(group, file).object("weights");
    require_form(weights != nullptr, file, "a group has no weights");
    check_weights(*weights, file);
  }
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/architecture.hpp"

#include "model/weight_names.hpp"

namespace sluice {

architecture describe_architecture(const checkpoint& model) {
  const std::string file = model.label();
  if (model.format() == checkpoint_format::safetensors)
    return architecture_from_config(model.config(), model.generation_config(),
                                    file);
  auto arch = architecture_from_gguf(model.metadata(), file);
  const auto& names = names_for(model.format());
  arch.tied_embeddings = model.find(names.lm_head) == nullptr;
  arch.attention_bias = model.find(layer_weight(names.q_bias, 0)) != nullptr;
  return arch;
}

} // namespace sluice

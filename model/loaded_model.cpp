// SPDX-License-Identifier: Apache-2.0
#include "model/loaded_model.hpp"

#include "model/checkpoint/checkpoint.hpp"
#include "model/tokenizer/load.hpp"
#include "model/tokenizer/tokenizer.hpp"

namespace sluice {

std::shared_ptr<const loaded_model>
load_model(const std::filesystem::path& path, const load_options& options) {
  const auto source = checkpoint::open(path);
  auto model = std::make_shared<loaded_model>();
  model->name = source.label();
  model->arch = describe_architecture(source);
  if (source.tokenizer().from != tokenizer_source::kind::none)
    model->text = load_tokenizer(path);
  model->tensors = load_weights(source, model->arch, options);
  return model;
}

} // namespace sluice

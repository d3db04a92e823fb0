// SPDX-License-Identifier: Apache-2.0
#include "model/loaded_model.hpp"

#include "model/checkpoint/checkpoint.hpp"
#include "model/checkpoint/model_error.hpp"
#include "model/tokenizer/load.hpp"
#include "model/tokenizer/tokenizer.hpp"

namespace sluice {

namespace {

// An id without a row in the embedding would break a request in its midst.
void check_vocabulary(const tokenizer& text, const architecture& arch,
                      std::string_view file) {
  if (text.vocab_size() <= arch.vocab)
    return;
  throw model_error(model_fault::bad_shape, {file, "tokenizer"},
                    "it has " + std::to_string(text.vocab_size()) +
                        " tokens and the embedding has " +
                        std::to_string(arch.vocab) + " rows",
                    "use the tokenizer that the model was trained with");
}

} // namespace

std::shared_ptr<const loaded_model>
load_model(const std::filesystem::path& path, const load_options& options) {
  const auto source = checkpoint::open(path);
  auto model = std::make_shared<loaded_model>();
  model->name = source.label();
  model->arch = describe_architecture(source);
  if (source.tokenizer().from != tokenizer_source::kind::none) {
    model->text = load_tokenizer(source);
    check_vocabulary(*model->text, model->arch, model->name);
  }
  model->tensors = load_weights(source, model->arch, options);
  return model;
}

} // namespace sluice

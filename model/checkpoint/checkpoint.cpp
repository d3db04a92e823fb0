// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/checkpoint.hpp"

#include "kernels/check.hpp"
#include "model/checkpoint/checked.hpp"
#include "model/checkpoint/json.hpp"

#include <utility>

namespace sluice {

namespace fs = std::filesystem;

checkpoint checkpoint::open(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    return open_directory(path);
  if (path.extension() == ".gguf")
    return open_gguf(path);
  if (path.extension() == ".safetensors")
    return open_safetensors(path, path.parent_path(), path);
  if (!fs::exists(path, ignored))
    throw model_error(model_fault::io, {path.string(), ""},
                      "no such file or directory", "check the path");
  throw model_error(model_fault::not_a_model, {path.string(), ""},
                    "neither .gguf, .safetensors nor a directory",
                    "give a .gguf file, a .safetensors file or a directory "
                    "with config.json and model.safetensors");
}

checkpoint checkpoint::open_directory(const fs::path& directory) {
  std::error_code ignored;
  for (auto name : {"model.safetensors", "model.safetensors.index.json"})
    if (fs::exists(directory / name, ignored))
      return open_safetensors(directory, directory, directory / name);
  throw model_error(model_fault::not_a_model, {directory.string(), ""},
                    "no model.safetensors and no model.safetensors.index.json",
                    "convert pickled weights to safetensors, or give a .gguf "
                    "file by its name");
}

std::string checkpoint::label() const {
  const auto name = path_.filename();
  return (name.empty() ? path_.parent_path().filename() : name).string();
}

const tensor_info* checkpoint::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

void checkpoint::read(const tensor_info& tensor, std::uint64_t offset,
                      std::span<std::byte> out) const {
  require(offset <= tensor.bytes && out.size() <= tensor.bytes - offset,
          "checkpoint::read: the range leaves the tensor; ask for less");
  files_.at(tensor.file).read(tensor.offset + offset, out);
}

void checkpoint::add_tensors(std::vector<tensor_info> tensors) {
  const auto& file = files_.back().name();
  for (auto& tensor : tensors) {
    const std::string subject = "tensor '" + tensor.name + "'";
    tensor.file = static_cast<std::uint32_t>(files_.size() - 1);
    if (!by_name_.emplace(tensor.name, tensors_.size()).second)
      throw model_error(model_fault::duplicate, {file, subject},
                        "the tensor is also in another file of this model",
                        download_again);
    tensor_bytes_ =
        (checked_u64(tensor_bytes_) + tensor.bytes).value({file, subject});
    tensors_.push_back(std::move(tensor));
  }
}

tokenizer_source checkpoint::tokenizer() const {
  using kind = tokenizer_source::kind;
  std::error_code ignored;
  if (format_ == checkpoint_format::gguf)
    return {metadata_.has("tokenizer.ggml.model") ? kind::gguf : kind::none,
            path_};
  for (auto [from, name] : {std::pair{kind::tokenizer_json, "tokenizer.json"},
                            std::pair{kind::sentencepiece, "tokenizer.model"}})
    if (fs::exists(directory_ / name, ignored))
      return {from, directory_ / name};
  return {};
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/checkpoint.hpp"
#include "model/checkpoint/json.hpp"
#include "model/checkpoint/safetensors.hpp"
#include "model/checkpoint/shard_index.hpp"

#include <algorithm>
#include <utility>

namespace sluice {

namespace fs = std::filesystem;

namespace {

/// The file's bytes, or a refusal if they are more than `limit_bytes`.
std::vector<std::byte> small_file(const fs::path& path,
                                  std::uint64_t limit_bytes) {
  const model_file file(path);
  if (file.size_bytes() > limit_bytes)
    throw model_error(model_fault::limit, {file.name(), ""},
                      "more than " + std::to_string(limit_bytes) + " bytes",
                      download_again);
  return file.slice(0, file.size_bytes());
}

nlohmann::json read_json(const fs::path& path) {
  const auto bytes = small_file(path, json_limits{}.bytes);
  return parse_json(bytes, path.filename().string());
}

/// The tensors of a shard must be those that the index gives it.
void check_against_index(const shard_index& index, std::size_t shard,
                         std::span<const tensor_info> tensors) {
  for (const auto& tensor : tensors) {
    const auto owner = index.owner.find(tensor.name);
    if (owner != index.owner.end() && owner->second == shard)
      continue;
    throw model_error(model_fault::malformed,
                      {index.files[shard], "tensor '" + tensor.name + "'"},
                      "the index does not place the tensor in this shard",
                      download_again);
  }
}

} // namespace

checkpoint checkpoint::open_safetensors(const fs::path& path,
                                        const fs::path& directory,
                                        const fs::path& weights) {
  checkpoint model;
  model.format_ = checkpoint_format::safetensors;
  model.path_ = path;
  model.directory_ = directory;
  model.read_configs();
  if (weights.extension() == ".json")
    model.add_shards(weights);
  else
    model.add_safetensors(weights);
  return model;
}

void checkpoint::read_configs() {
  std::error_code ignored;
  const auto generation = directory_ / "generation_config.json";
  config_ = read_json(directory_ / "config.json");
  if (fs::exists(generation, ignored))
    generation_config_ = read_json(generation);
}

void checkpoint::add_safetensors(const fs::path& path) {
  files_.emplace_back(path);
  const auto& file = files_.back();
  const auto prefix =
      file.slice(0, std::min<std::uint64_t>(8, file.size_bytes()));
  const auto length =
      safetensors_header_bytes(prefix, file.size_bytes(), file.name());
  auto header = parse_safetensors_header(file.slice(8, length),
                                         file.size_bytes(), file.name());
  add_tensors(std::move(header.tensors));
}

void checkpoint::add_shards(const fs::path& path) {
  const auto bytes = small_file(path, 64u << 20);
  const auto index = parse_shard_index(bytes, path.filename().string());
  for (std::size_t shard = 0; shard < index.files.size(); ++shard) {
    const auto first = tensors_.size();
    add_safetensors(directory_ / index.files[shard]);
    check_against_index(index, shard, tensors().subspan(first));
  }
  for (const auto& [tensor, shard] : index.owner)
    if (!find(tensor))
      throw model_error(
          model_fault::missing, {index.files[shard], "tensor '" + tensor + "'"},
          "the index names a tensor that the shard lacks", download_again);
}

} // namespace sluice

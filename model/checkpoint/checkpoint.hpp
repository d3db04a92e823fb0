// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/file.hpp"
#include "model/checkpoint/gguf_metadata.hpp"
#include "model/checkpoint/tensor_info.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice {

enum class checkpoint_format : std::uint8_t { safetensors, gguf };

/// Where a checkpoint's tokenizer is described.
struct tokenizer_source {
  enum class kind : std::uint8_t {
    none,
    tokenizer_json, ///< `path` is a tokenizer.json
    sentencepiece,  ///< `path` is a tokenizer.model
    gguf            ///< keys "tokenizer.ggml.*" of checkpoint::metadata()
  };
  kind from = kind::none;
  std::filesystem::path path;
};

/// An opened model: its tensors' places and its description. Only headers are
/// in memory; the files stay open and tensors are read on demand.
class checkpoint {
public:
  /// @param path  a Hugging Face directory (config.json with model.safetensors
  ///              or model.safetensors.index.json), a .safetensors file with
  ///              its config.json beside it, or a .gguf file (the first one of
  ///              a split set).
  /// @throws model_error.
  static checkpoint open(const std::filesystem::path& path);

  checkpoint_format format() const noexcept { return format_; }
  const std::filesystem::path& path() const noexcept { return path_; }
  /// Last component of path(), for messages.
  std::string label() const;

  /// All tensors, shard by shard in file order.
  std::span<const tensor_info> tensors() const noexcept { return tensors_; }
  /// @return nullptr if there is no such tensor.
  const tensor_info* find(std::string_view name) const;
  std::uint64_t tensor_bytes() const noexcept { return tensor_bytes_; }

  /// Copies bytes [offset, offset + out.size()) of a tensor.
  /// @throws contract_violation if the range is not inside the tensor;
  ///         model_error if the file has shrunk since it was opened.
  void read(const tensor_info& tensor, std::uint64_t offset,
            std::span<std::byte> out) const;

  /// GGUF keys; empty for safetensors.
  const gguf_metadata& metadata() const noexcept { return metadata_; }
  /// config.json; null for GGUF.
  const nlohmann::json& config() const noexcept { return config_; }
  /// generation_config.json; null if absent and for GGUF.
  const nlohmann::json& generation_config() const noexcept {
    return generation_config_;
  }
  tokenizer_source tokenizer() const;

private:
  checkpoint() = default;
  static checkpoint open_directory(const std::filesystem::path& directory);
  static checkpoint open_gguf(const std::filesystem::path& path);
  static checkpoint open_safetensors(const std::filesystem::path& path,
                                     const std::filesystem::path& directory,
                                     const std::filesystem::path& weights);
  void add_gguf_splits(std::uint32_t count);
  void add_safetensors(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);
  void add_tensors(std::vector<tensor_info> tensors);
  void read_configs();

  checkpoint_format format_ = checkpoint_format::safetensors;
  std::filesystem::path path_;
  std::filesystem::path directory_;
  std::vector<model_file> files_;
  std::vector<tensor_info> tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::uint64_t tensor_bytes_ = 0;
  gguf_metadata metadata_;
  nlohmann::json config_;
  nlohmann::json generation_config_;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// "model.safetensors.index.json": which shard holds which tensor.
struct shard_index {
  std::vector<std::string> files;           ///< distinct names, sorted
  std::map<std::string, std::size_t> owner; ///< tensor name -> index in files
};

/// @throws model_error: malformed if a shard's name could leave the folder or
///         is not a .safetensors file, limit above 1,024 shards, duplicate,
///         wrong_type.
shard_index parse_shard_index(std::span<const std::byte> json,
                              std::string_view file);

} // namespace sluice

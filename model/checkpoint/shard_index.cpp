// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/shard_index.hpp"

#include "model/checkpoint/json.hpp"

#include <algorithm>

namespace sluice {

namespace {

/// A shard lies in the index's own folder, so its name has no folders.
bool is_shard_name(std::string_view name) {
  return name.size() <= 255 && name.ends_with(".safetensors") &&
         !name.starts_with('.') && std::ranges::none_of(name, [](char c) {
           return c == '/' || c == '\\' || (c >= 0 && c < 0x20) || c == 0x7f;
         });
}

std::string shard_name(const nlohmann::json& value, fault_site site) {
  if (!value.is_string())
    throw model_error(model_fault::wrong_type, site,
                      "expected the name of a shard", download_again);
  auto name = value.get<std::string>();
  if (!is_shard_name(name))
    throw model_error(model_fault::malformed, site,
                      "'" + printable(name) +
                          "' is not the name of a shard beside the index",
                      download_again);
  return name;
}

const nlohmann::json& weight_map(const nlohmann::json& index,
                                 std::string_view file) {
  const json_reader reader(index, file);
  const auto* map = reader.object("weight_map");
  if (!map || map->empty())
    throw model_error(model_fault::missing, {file, "key 'weight_map'"},
                      "the key is required and absent or empty",
                      download_again);
  return *map;
}

} // namespace

shard_index parse_shard_index(std::span<const std::byte> json,
                              std::string_view file) {
  constexpr std::size_t most_shards = 1'024;
  const auto parsed = parse_json(json, file, {.bytes = 64u << 20, .depth = 8});
  std::map<std::string, std::size_t> number; // shard name -> index
  shard_index index;
  for (const auto& [tensor, value] : weight_map(parsed, file).items()) {
    const std::string subject = "tensor '" + tensor + "'";
    number.emplace(shard_name(value, {file, subject}), 0);
    if (number.size() > most_shards)
      throw model_error(model_fault::limit, {file, subject},
                        "more than 1024 shards", download_again);
  }
  for (auto& [name, position] : number) {
    position = index.files.size();
    index.files.push_back(name);
  }
  for (const auto& [tensor, value] : weight_map(parsed, file).items())
    index.owner.emplace(tensor, number.at(value.get<std::string>()));
  return index;
}

} // namespace sluice

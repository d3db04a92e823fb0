// SPDX-License-Identifier: Apache-2.0
// config.json, generation_config.json and the index of shards.
#include "model/architecture.hpp"
#include "model/checkpoint/json.hpp"
#include "model/checkpoint/shard_index.hpp"

#include <cstdlib>

namespace {

using namespace sluice;

void read_config(std::span<const std::byte> bytes) {
  try {
    const auto config = parse_json(bytes, "fuzz");
    const auto arch = architecture_from_config(config, config, "fuzz");
    if (arch.kv_bytes_per_token(2) == 0)
      std::abort();
    rope_frequencies(arch.rope, {});
  } catch (const model_error&) {
  }
}

void read_index(std::span<const std::byte> bytes) {
  try {
    for (const auto& file : parse_shard_index(bytes, "fuzz").files)
      if (file.find('/') != file.npos || file.starts_with(".."))
        std::abort();
  } catch (const model_error&) {
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  read_config(bytes);
  read_index(bytes);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/safetensors.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice::test {

/// A safetensors file of a JSON header and `data_bytes` zeros.
inline std::string safetensors_file(std::string_view json,
                                    std::size_t data_bytes) {
  const std::uint64_t length = json.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file.append(json).append(data_bytes, '\0');
}

/// Reads a whole file's header as checkpoint::open() does.
inline safetensors_header parse_safetensors(std::string_view file) {
  const auto bytes = std::as_bytes(std::span(file.data(), file.size()));
  const auto length = safetensors_header_bytes(
      bytes.first(std::min<std::size_t>(8, bytes.size())), file.size(),
      "test.safetensors");
  return parse_safetensors_header(bytes.subspan(8, length), file.size(),
                                  "test.safetensors");
}

} // namespace sluice::test

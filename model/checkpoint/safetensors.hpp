// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/tensor_info.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Published limits of the safetensors reader.
struct safetensors_limits {
  static constexpr std::uint64_t header_bytes = 100'000'000;
  static constexpr std::uint64_t tensors = 262'144;
  static constexpr std::uint64_t name_bytes = 1'024;
};

/// The JSON header of a safetensors file, checked.
struct safetensors_header {
  std::map<std::string, std::string> metadata; ///< "__metadata__"
  std::vector<tensor_info> tensors;            ///< by offset
};

/// Length of the JSON header that follows the first 8 bytes.
/// @throws model_error: truncated, limit.
std::uint64_t safetensors_header_bytes(std::span<const std::byte> first_eight,
                                       std::uint64_t file_bytes,
                                       std::string_view file);

/// Parses the JSON header of a file and checks that the tensors fill the rest
/// of it exactly, without holes or overlap.
/// @param json        the header's bytes after the length field.
/// @param file_bytes  the file's real size.
/// @throws model_error.
/// @source github.com/huggingface/safetensors README, "Format".
safetensors_header parse_safetensors_header(std::span<const std::byte> json,
                                            std::uint64_t file_bytes,
                                            std::string_view file);

} // namespace sluice

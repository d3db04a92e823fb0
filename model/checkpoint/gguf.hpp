// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/gguf_metadata.hpp"
#include "model/checkpoint/tensor_info.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sluice {

/// Published limits of the GGUF reader.
struct gguf_limits {
  static constexpr std::uint64_t tensors = 65'536;
  static constexpr std::uint64_t keys = 65'536;
  static constexpr std::uint64_t key_bytes = 65'535;
  static constexpr std::uint64_t tensor_name_bytes = 63;
  static constexpr std::uint64_t string_bytes = 16u << 20;
  static constexpr std::uint64_t array_elements = 4u << 20;
  static constexpr std::uint64_t header_bytes = 512u << 20;
  static constexpr std::uint32_t default_alignment = 32;
  static constexpr std::uint32_t largest_alignment = 65'536;
  static constexpr std::uint32_t split_files = 1'024;
};

/// Everything before the tensor data of a GGUF file.
struct gguf_header {
  std::uint32_t version = 0; ///< 2 or 3
  std::uint64_t alignment = gguf_limits::default_alignment;
  std::uint64_t data_offset = 0; ///< where tensor data starts in the file
  gguf_metadata metadata;
  std::vector<tensor_info> tensors; ///< in file order
};

/// Reads a GGUF header and checks every rule of the format: counts against the
/// file's size before anything is allocated, names, types, shapes, alignment,
/// and that the tensors follow each other without overlap inside the file.
/// @param prefix      the first bytes of the file, up to all of them.
/// @param file_bytes  the file's real size, >= prefix.size().
/// @param file        its name for error texts.
/// @throws model_error; incomplete_input (a model_error) when `prefix` ends
///         before the header does: a caller who gave less than the file may
///         give more.
/// @source github.com/ggml-org/ggml docs/gguf.md, versions 2 and 3.
gguf_header parse_gguf_header(std::span<const std::byte> prefix,
                              std::uint64_t file_bytes, std::string_view file);

} // namespace sluice

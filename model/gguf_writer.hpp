// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"
#include "model/checkpoint/gguf_metadata.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Writes a GGUF version 3 file without holding its tensors: first keys and
/// tensor declarations, then the tensors' bytes in the declared order. The file
/// appears under its name only when finish() has returned.
class gguf_writer {
public:
  /// @throws model_error (io) if a file cannot be created beside `path`.
  explicit gguf_writer(std::filesystem::path path);
  ~gguf_writer();
  gguf_writer(const gguf_writer&) = delete;
  gguf_writer& operator=(const gguf_writer&) = delete;

  void add_u32(std::string_view key, std::uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_text(std::string_view key, std::string_view value);
  void add_texts(std::string_view key, std::span<const std::string> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  /// Adds a key as another file encodes it.
  void add_value(std::string_view key, const gguf_value& value,
                 std::span<const std::byte> encoded);

  /// Declares the next tensor.
  /// @param shape  outermost dimension first, 1 to 4 entries.
  /// @throws contract_violation after the first write().
  void declare(std::string_view name, dtype type,
               std::span<const std::uint64_t> shape);

  /// Bytes of all declared tensors, without padding.
  std::uint64_t tensor_bytes() const noexcept { return tensor_bytes_; }

  /// Appends bytes to the tensors, which follow each other as declared; one
  /// call may not cross the end of a tensor.
  /// @throws contract_violation past the last tensor; model_error (io).
  void write(std::span<const std::byte> bytes);

  /// Completes the file and gives it its name.
  /// @throws contract_violation if tensor bytes are missing; model_error (io).
  void finish();

private:
  struct declared {
    std::string name;
    dtype type;
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes;
  };

  void put_key(std::string_view key, gguf_type type);
  void put_array(std::string_view key, gguf_type element, std::uint64_t count);
  void write_header();
  void pad();
  void put(std::span<const std::byte> bytes);
  [[noreturn]] void failed(std::string_view what) const;

  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::ofstream out_;
  std::vector<std::byte> keys_;
  std::uint64_t key_count_ = 0;
  std::vector<declared> tensors_;
  std::uint64_t tensor_bytes_ = 0;
  std::uint64_t position_ = 0; ///< bytes in the file
  std::size_t current_ = 0;    ///< tensor being written
  std::uint64_t written_ = 0;  ///< bytes of it
  bool header_written_ = false;
  bool finished_ = false;
};

} // namespace sluice

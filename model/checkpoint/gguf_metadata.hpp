// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/model_error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice {

/// Value types of GGUF metadata, numbered as published.
enum class gguf_type : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12
};

/// @return bytes of one scalar; 0 for strings, arrays and unknown numbers.
std::uint32_t scalar_bytes(gguf_type type);
std::string_view name(gguf_type type);

/// One key's value, still encoded: its bytes were checked when the header was
/// read and are decoded by the typed getters.
struct gguf_value {
  gguf_type type;
  gguf_type element;   ///< of an array; otherwise equal to `type`
  std::uint64_t count; ///< elements of an array; otherwise 1
  std::uint64_t offset;
  std::uint64_t length; ///< bytes of the encoded element(s) in the header
};

/// The key-value part of a GGUF file. Owns the header's bytes.
/// @throws model_error from every getter: missing, or wrong_type if the type or
///         the count is not exactly what the caller asks for.
class gguf_metadata {
public:
  gguf_metadata() = default;
  gguf_metadata(std::string file, std::vector<std::byte> header);

  /// @throws model_error (duplicate).
  void add(std::string key, gguf_value value);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  const gguf_value* find(std::string_view key) const;
  std::size_t size() const noexcept { return values_.size(); }

  /// All keys in file order; views into this object.
  std::vector<std::string_view> keys() const;
  /// The value's element(s) as the file encodes them; of a string its text.
  std::span<const std::byte> encoded(const gguf_value& value) const;

  /// A u32, or a narrower unsigned number.
  std::uint32_t u32(std::string_view key) const;
  std::uint32_t u32(std::string_view key, std::uint32_t fallback) const;
  float f32(std::string_view key) const;
  float f32(std::string_view key, float fallback) const;
  bool flag(std::string_view key, bool fallback) const;
  std::string text(std::string_view key) const;
  std::string text(std::string_view key, std::string_view fallback) const;

  std::vector<std::string> strings(std::string_view key) const;
  std::vector<float> f32_array(std::string_view key) const;
  std::vector<std::int32_t> i32_array(std::string_view key) const;
  /// A u32 or an array of u32 or i32 that are not negative.
  std::vector<std::uint32_t> u32_list(std::string_view key) const;

private:
  const gguf_value& require(std::string_view key) const;
  const gguf_value& require(std::string_view key, gguf_type type) const;
  const gguf_value& require_array(std::string_view key,
                                  gguf_type element) const;
  [[noreturn]] void wrong_type(std::string_view key, const gguf_value& found,
                               std::string_view wanted) const;

  std::string file_;
  std::vector<std::byte> header_;
  std::unordered_map<std::string, gguf_value> values_;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/gguf.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::test {

/// Writes GGUF bytes field by field, wrong ones included.
class gguf_bytes {
public:
  template <class Number>
  gguf_bytes& put(Number value) {
    const auto at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(&bytes_[at], &value, sizeof value);
    return *this;
  }
  gguf_bytes& raw(std::string_view text) {
    for (char c : text)
      put(c);
    return *this;
  }
  gguf_bytes& text(std::string_view value) {
    return put<std::uint64_t>(value.size()).raw(value);
  }
  gguf_bytes& header(std::uint64_t tensors, std::uint64_t keys,
                     std::uint32_t version = 3) {
    return raw("GGUF").put(version).put(tensors).put(keys);
  }
  gguf_bytes& key(std::string_view name, gguf_type type) {
    return text(name).put(static_cast<std::uint32_t>(type));
  }
  gguf_bytes& array(std::string_view name, gguf_type element,
                    std::uint64_t count) {
    key(name, gguf_type::array);
    return put(static_cast<std::uint32_t>(element)).put(count);
  }
  gguf_bytes& u32_key(std::string_view name, std::uint32_t value) {
    return key(name, gguf_type::u32).put(value);
  }
  /// @param extents  innermost first, as in the file.
  gguf_bytes& tensor(std::string_view name,
                     std::initializer_list<std::uint64_t> extents,
                     std::uint32_t type, std::uint64_t offset) {
    text(name).put<std::uint32_t>(static_cast<std::uint32_t>(extents.size()));
    for (auto extent : extents)
      put(extent);
    return put(type).put(offset);
  }
  gguf_bytes& pad(std::size_t alignment = 32) {
    while (bytes_.size() % alignment != 0)
      put('\0');
    return *this;
  }
  gguf_bytes& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }
  gguf_header parse() const {
    return parse_gguf_header(bytes_, bytes_.size(), "test.gguf");
  }

private:
  std::vector<std::byte> bytes_;
};

/// A small complete file: every kind of key, three tensors.
inline gguf_bytes small_gguf(std::uint32_t version = 3) {
  gguf_bytes file;
  file.header(3, 7, version);
  file.key("general.architecture", gguf_type::string).text("llama");
  file.u32_key("general.alignment", 64);
  file.key("test.ratio", gguf_type::f32).put(0.5f);
  file.key("test.flag", gguf_type::boolean).put(std::uint8_t{1});
  file.array("test.words", gguf_type::string, 2).text("one").text("zwölf");
  file.array("test.scores", gguf_type::f32, 2).put(1.5f).put(-2.5f);
  file.array("test.types", gguf_type::i32, 2).put(1).put(-3);
  file.tensor("a", {32, 2}, 8, 0);         // Q8_0: 68 bytes
  file.tensor("b.weight", {3}, 0, 128);    // F32: 12 bytes
  file.tensor("c", {2, 3, 4, 5}, 30, 192); // BF16: 240 bytes
  return file.pad(64).zeros(128 + 64 + 240);
}

} // namespace sluice::test

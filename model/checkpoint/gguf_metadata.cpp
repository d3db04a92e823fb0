// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/gguf_metadata.hpp"

#include "model/checkpoint/byte_cursor.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice {

namespace {

template <class Number>
Number decode(std::span<const std::byte> bytes) {
  Number value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

template <class Number>
std::vector<Number> decode_all(std::span<const std::byte> bytes) {
  std::vector<Number> values(bytes.size() / sizeof(Number));
  if (!values.empty())
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(Number));
  return values;
}

std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace

std::uint32_t scalar_bytes(gguf_type type) {
  switch (type) {
  case gguf_type::u8:
  case gguf_type::i8:
  case gguf_type::boolean:
    return 1;
  case gguf_type::u16:
  case gguf_type::i16:
    return 2;
  case gguf_type::u32:
  case gguf_type::i32:
  case gguf_type::f32:
    return 4;
  case gguf_type::u64:
  case gguf_type::i64:
  case gguf_type::f64:
    return 8;
  default:
    return 0;
  }
}

std::string_view name(gguf_type type) {
  constexpr std::string_view names[] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                        "i32", "f32", "bool", "string", "array",
                                        "u64", "i64", "f64"};
  const auto id = static_cast<std::uint32_t>(type);
  return id < std::size(names) ? names[id] : "unknown";
}

gguf_metadata::gguf_metadata(std::string file, std::vector<std::byte> header)
    : file_(std::move(file)), header_(std::move(header)) {}

void gguf_metadata::add(std::string key, gguf_value value) {
  const auto [where, added] = values_.emplace(std::move(key), value);
  if (!added)
    throw model_error(model_fault::duplicate,
                      {file_, "key '" + where->first + "'"},
                      "the key appears twice", download_again);
}

const gguf_value* gguf_metadata::find(std::string_view key) const {
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> gguf_metadata::keys() const {
  std::vector<std::string_view> all;
  for (const auto& [key, value] : values_)
    all.push_back(key);
  std::ranges::sort(all, {},
                    [this](std::string_view key) { return find(key)->offset; });
  return all;
}

std::span<const std::byte>
gguf_metadata::encoded(const gguf_value& value) const {
  return std::span(header_).subspan(value.offset, value.length);
}

void gguf_metadata::wrong_type(std::string_view key, const gguf_value& found,
                               std::string_view wanted) const {
  std::string is(name(found.type));
  if (found.type == gguf_type::array)
    is.append(" of ").append(name(found.element));
  throw model_error(
      model_fault::wrong_type, {file_, "key '" + std::string(key) + "'"},
      "expected " + std::string(wanted) + ", found " + is, download_again);
}

const gguf_value& gguf_metadata::require(std::string_view key) const {
  if (const auto* value = find(key))
    return *value;
  throw model_error(model_fault::missing,
                    {file_, "key '" + std::string(key) + "'"},
                    "the key is required and absent",
                    "convert the model again with a current converter");
}

const gguf_value& gguf_metadata::require(std::string_view key,
                                         gguf_type type) const {
  const auto& value = require(key);
  if (value.type != type)
    wrong_type(key, value, name(type));
  return value;
}

const gguf_value& gguf_metadata::require_array(std::string_view key,
                                               gguf_type element) const {
  const auto& value = require(key);
  if (value.type != gguf_type::array || value.element != element)
    wrong_type(key, value, "array of " + std::string(name(element)));
  return value;
}

std::uint32_t gguf_metadata::u32(std::string_view key) const {
  const auto& value = require(key);
  switch (value.type) { // narrower unsigned types widen without loss
  case gguf_type::u8:
    return decode<std::uint8_t>(encoded(value));
  case gguf_type::u16:
    return decode<std::uint16_t>(encoded(value));
  case gguf_type::u32:
    return decode<std::uint32_t>(encoded(value));
  default:
    wrong_type(key, value, "u32");
  }
}

std::uint32_t gguf_metadata::u32(std::string_view key,
                                 std::uint32_t fallback) const {
  return has(key) ? u32(key) : fallback;
}

float gguf_metadata::f32(std::string_view key) const {
  return decode<float>(encoded(require(key, gguf_type::f32)));
}

float gguf_metadata::f32(std::string_view key, float fallback) const {
  return has(key) ? f32(key) : fallback;
}

bool gguf_metadata::flag(std::string_view key, bool fallback) const {
  if (!has(key))
    return fallback;
  return encoded(require(key, gguf_type::boolean))[0] != std::byte{0};
}

std::string gguf_metadata::text(std::string_view key) const {
  return as_text(encoded(require(key, gguf_type::string)));
}

std::string gguf_metadata::text(std::string_view key,
                                std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

std::vector<std::string> gguf_metadata::strings(std::string_view key) const {
  const auto& value = require_array(key, gguf_type::string);
  byte_cursor cursor(encoded(value), file_);
  std::vector<std::string> texts;
  texts.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i)
    texts.push_back(
        as_text(cursor.take(cursor.number<std::uint64_t>(key), key)));
  return texts;
}

std::vector<float> gguf_metadata::f32_array(std::string_view key) const {
  return decode_all<float>(encoded(require_array(key, gguf_type::f32)));
}

std::vector<std::int32_t> gguf_metadata::i32_array(std::string_view key) const {
  return decode_all<std::int32_t>(encoded(require_array(key, gguf_type::i32)));
}

std::vector<std::uint32_t> gguf_metadata::u32_list(std::string_view key) const {
  const auto& value = require(key);
  if (value.type != gguf_type::array)
    return {u32(key)};
  if (value.element == gguf_type::u32)
    return decode_all<std::uint32_t>(encoded(value));
  std::vector<std::uint32_t> list;
  for (auto element : i32_array(key)) {
    if (element < 0)
      wrong_type(key, value, "elements that are not negative");
    list.push_back(static_cast<std::uint32_t>(element));
  }
  return list;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_writer.hpp"

#include "kernels/check.hpp"
#include "model/checkpoint/checked.hpp"
#include "model/checkpoint/gguf.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace sluice {

namespace {

constexpr std::uint32_t version = 3;

void append(std::vector<std::byte>& out, const void* data, std::size_t bytes) {
  const auto* first = static_cast<const std::byte*>(data);
  out.insert(out.end(), first, first + bytes);
}

template <class Number>
void append_number(std::vector<std::byte>& out, Number value) {
  append(out, &value, sizeof value);
}

void append_text(std::vector<std::byte>& out, std::string_view text) {
  append_number<std::uint64_t>(out, text.size());
  append(out, text.data(), text.size());
}

std::uint64_t padding(std::uint64_t position) {
  constexpr std::uint64_t alignment = gguf_limits::default_alignment;
  return (alignment - position % alignment) % alignment;
}

} // namespace

gguf_writer::gguf_writer(std::filesystem::path path)
    : path_(std::move(path)), partial_(path_) {
  partial_ += ".partial-" + std::to_string(::getpid());
  out_.open(partial_, std::ios::binary | std::ios::trunc);
  if (!out_)
    failed("cannot create the file");
}

gguf_writer::~gguf_writer() {
  std::error_code ignored;
  if (!finished_)
    std::filesystem::remove(partial_, ignored);
}

void gguf_writer::failed(std::string_view what) const {
  const std::string name = path_.string();
  throw model_error(model_fault::io, {name, ""},
                    std::string(what) + ": " + std::strerror(errno),
                    "check the folder, its permissions and the free space");
}

void gguf_writer::put_key(std::string_view key, gguf_type type) {
  require(!header_written_, "gguf_writer: keys come before the first write()");
  append_text(keys_, key);
  append_number(keys_, static_cast<std::uint32_t>(type));
  ++key_count_;
}

void gguf_writer::put_array(std::string_view key, gguf_type element,
                            std::uint64_t count) {
  put_key(key, gguf_type::array);
  append_number(keys_, static_cast<std::uint32_t>(element));
  append_number(keys_, count);
}

void gguf_writer::add_u32(std::string_view key, std::uint32_t value) {
  put_key(key, gguf_type::u32);
  append_number(keys_, value);
}

void gguf_writer::add_f32(std::string_view key, float value) {
  put_key(key, gguf_type::f32);
  append_number(keys_, value);
}

void gguf_writer::add_bool(std::string_view key, bool value) {
  put_key(key, gguf_type::boolean);
  append_number<std::uint8_t>(keys_, value);
}

void gguf_writer::add_text(std::string_view key, std::string_view value) {
  put_key(key, gguf_type::string);
  append_text(keys_, value);
}

void gguf_writer::add_texts(std::string_view key,
                            std::span<const std::string> values) {
  put_array(key, gguf_type::string, values.size());
  for (const auto& value : values)
    append_text(keys_, value);
}

void gguf_writer::add_f32s(std::string_view key,
                           std::span<const float> values) {
  put_array(key, gguf_type::f32, values.size());
  append(keys_, values.data(), values.size_bytes());
}

void gguf_writer::add_i32s(std::string_view key,
                           std::span<const std::int32_t> values) {
  put_array(key, gguf_type::i32, values.size());
  append(keys_, values.data(), values.size_bytes());
}

void gguf_writer::add_value(std::string_view key, const gguf_value& value,
                            std::span<const std::byte> encoded) {
  if (value.type == gguf_type::array)
    put_array(key, value.element, value.count);
  else
    put_key(key, value.type);
  if (value.type == gguf_type::string)
    append_number<std::uint64_t>(keys_, encoded.size());
  append(keys_, encoded.data(), encoded.size());
}

void gguf_writer::declare(std::string_view name, dtype type,
                          std::span<const std::uint64_t> shape) {
  require(!header_written_, "gguf_writer: declare() comes before write()");
  require(!shape.empty() && shape.size() <= 4,
          "gguf_writer: a tensor has 1 to 4 dimensions");
  std::uint64_t bytes =
      row_bytes(type, static_cast<std::int64_t>(shape.back()));
  for (auto extent : shape.first(shape.size() - 1))
    bytes *= extent;
  tensors_.push_back(
      {std::string(name), type, {shape.begin(), shape.end()}, bytes});
  tensor_bytes_ += bytes;
}

void gguf_writer::put(std::span<const std::byte> bytes) {
  out_.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!out_)
    failed("writing failed");
  position_ += bytes.size();
}

void gguf_writer::pad() {
  constexpr std::byte zeros[gguf_limits::default_alignment] = {};
  put(std::span(zeros).first(padding(position_)));
}

void gguf_writer::write_header() {
  std::vector<std::byte> header;
  append(header, "GGUF", 4);
  append_number(header, version);
  append_number<std::uint64_t>(header, tensors_.size());
  append_number<std::uint64_t>(header, key_count_);
  append(header, keys_.data(), keys_.size());
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors_) {
    append_text(header, tensor.name);
    append_number(header, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto extent = tensor.shape.rbegin(); extent != tensor.shape.rend();
         ++extent) // the format wants the innermost first
      append_number(header, *extent);
    append_number(header, ggml_id(tensor.type));
    append_number(header, offset);
    offset += tensor.bytes + padding(tensor.bytes);
  }
  put(header);
  pad();
  header_written_ = true;
}

void gguf_writer::write(std::span<const std::byte> bytes) {
  if (!header_written_)
    write_header();
  require(current_ < tensors_.size() &&
              bytes.size() <= tensors_[current_].bytes - written_,
          "gguf_writer: more bytes than declared; end at the tensor's end");
  put(bytes);
  written_ += bytes.size();
  if (written_ < tensors_[current_].bytes)
    return;
  pad();
  ++current_;
  written_ = 0;
}

void gguf_writer::finish() {
  if (!header_written_)
    write_header();
  require(current_ == tensors_.size(),
          "gguf_writer: a declared tensor is not complete; write its bytes");
  out_.close();
  if (!out_)
    failed("writing failed");
  std::error_code error;
  std::filesystem::rename(partial_, path_, error);
  if (error)
    failed("cannot rename the finished file");
  finished_ = true;
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/gguf.hpp"

#include "model/checkpoint/byte_cursor.hpp"
#include "model/checkpoint/utf8.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <unordered_set>
#include <utility>

namespace sluice {

namespace {

class header_parser {
public:
  header_parser(std::span<const std::byte> prefix, std::uint64_t file_bytes,
                std::string_view file)
      : prefix_(prefix), file_bytes_(file_bytes), file_(file),
        cursor_(prefix, file) {}

  gguf_header run() {
    read_counts();
    read_keys();
    read_alignment();
    for (std::uint64_t i = 0; i < tensor_count_; ++i)
      read_tensor();
    place_tensors();
    return std::move(header_);
  }

private:
  [[noreturn]] void refuse(model_fault fault, std::string_view rule,
                           std::string_view remedy = download_again) const {
    throw model_error(fault, site(), rule, remedy);
  }
  fault_site site() const { return {file_, subject_}; }

  void read_counts();
  void read_version();
  void read_keys();
  std::string read_key();
  gguf_value read_value();
  void read_array(gguf_value& value);
  void read_scalars(gguf_type type, std::uint64_t count);
  std::span<const std::byte> read_string(std::uint64_t longest);
  void read_alignment();
  void read_tensor();
  void read_shape(tensor_info& tensor);
  void place_tensors();

  std::span<const std::byte> prefix_;
  std::uint64_t file_bytes_;
  std::string_view file_;
  byte_cursor cursor_;
  std::string subject_ = "header"; // what is being read, for error texts
  std::uint64_t tensor_count_ = 0;
  std::uint64_t key_count_ = 0;
  std::unordered_set<std::string> names_;
  gguf_header header_;
};

std::string_view as_view(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The specification wants lower_snake_case segments with dots; published
/// architecture names add hyphens ("command-r.block_count").
bool is_key(std::string_view key) {
  return std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

void header_parser::read_version() {
  if (as_view(cursor_.take(4, subject_)) != "GGUF")
    refuse(model_fault::not_a_model, "the file does not begin with 'GGUF'",
           "give a .gguf file, a .safetensors file or a model directory");
  header_.version = cursor_.number<std::uint32_t>(subject_);
  if ((header_.version & 0xffff) == 0 && header_.version != 0)
    refuse(model_fault::unsupported, "a big-endian file",
           "convert the model to little-endian");
  if (header_.version != 2 && header_.version != 3)
    refuse(model_fault::unsupported,
           "GGUF version " + std::to_string(header_.version) +
               "; versions 2 and 3 load",
           "convert the model again");
}

void header_parser::read_counts() {
  constexpr std::uint64_t smallest_tensor = 24, smallest_key = 13;
  read_version();
  tensor_count_ = cursor_.number<std::uint64_t>(subject_);
  key_count_ = cursor_.number<std::uint64_t>(subject_);
  if (tensor_count_ > gguf_limits::tensors)
    refuse(model_fault::limit, "more than 65536 tensors");
  if (key_count_ > gguf_limits::keys)
    refuse(model_fault::limit, "more than 65536 keys");
  if (!(checked_u64(tensor_count_) * smallest_tensor +
        checked_u64(key_count_) * smallest_key)
           .at_most(file_bytes_))
    refuse(model_fault::truncated,
           "the counts of tensors and keys do not fit into the file");
}

void header_parser::read_keys() {
  std::vector<std::pair<std::string, gguf_value>> pairs;
  for (std::uint64_t i = 0; i < key_count_; ++i) {
    subject_ = "key " + std::to_string(i);
    std::string key = read_key();
    subject_ = "key '" + key + "'";
    pairs.emplace_back(std::move(key), read_value());
  }
  const auto read = prefix_.first(cursor_.position());
  header_.metadata = {std::string(file_), {read.begin(), read.end()}};
  for (auto& [key, value] : pairs)
    header_.metadata.add(std::move(key), value);
}

std::string header_parser::read_key() {
  const auto key = as_view(read_string(gguf_limits::key_bytes));
  if (key.empty())
    refuse(model_fault::malformed, "the key is empty");
  if (!is_key(key))
    refuse(model_fault::malformed,
           "'" + printable(key) + "' is not a lower-case key");
  return std::string(key);
}

std::span<const std::byte> header_parser::read_string(std::uint64_t longest) {
  const auto length = cursor_.number<std::uint64_t>(subject_);
  if (length > longest)
    refuse(model_fault::limit,
           "a string longer than " + std::to_string(longest) + " bytes");
  const auto bytes = cursor_.take(length, subject_);
  if (!is_utf8(bytes))
    refuse(model_fault::malformed, "a string that is not UTF-8");
  return bytes;
}

gguf_value header_parser::read_value() {
  gguf_value value{};
  value.type = static_cast<gguf_type>(cursor_.number<std::uint32_t>(subject_));
  value.element = value.type;
  value.count = 1;
  value.offset = cursor_.position();
  if (value.type == gguf_type::string) {
    const auto text = read_string(gguf_limits::string_bytes);
    value.offset = cursor_.position() - text.size();
  } else if (value.type == gguf_type::array) {
    read_array(value);
  } else {
    read_scalars(value.type, 1);
  }
  value.length = cursor_.position() - value.offset;
  return value;
}

void header_parser::read_array(gguf_value& value) {
  value.element =
      static_cast<gguf_type>(cursor_.number<std::uint32_t>(subject_));
  value.count = cursor_.number<std::uint64_t>(subject_);
  value.offset = cursor_.position();
  if (value.element == gguf_type::array)
    refuse(model_fault::unsupported, "an array of arrays");
  if (value.count > gguf_limits::array_elements)
    refuse(model_fault::limit, "an array of more than 4194304 elements");
  if (value.element != gguf_type::string)
    return read_scalars(value.element, value.count);
  for (std::uint64_t i = 0; i < value.count; ++i)
    read_string(gguf_limits::string_bytes);
}

void header_parser::read_scalars(gguf_type type, std::uint64_t count) {
  const auto size = scalar_bytes(type);
  if (size == 0)
    refuse(model_fault::malformed,
           "unknown value type " +
               std::to_string(static_cast<std::uint32_t>(type)));
  const auto total = checked_u64(count) * size;
  const auto bytes = cursor_.take(total.value(site()), subject_);
  if (type == gguf_type::boolean &&
      std::ranges::any_of(bytes, [](std::byte b) { return b > std::byte{1}; }))
    refuse(model_fault::malformed, "a bool that is neither 0 nor 1");
}

void header_parser::read_alignment() {
  constexpr std::string_view key = "general.alignment";
  subject_ = "key 'general.alignment'";
  const auto* value = header_.metadata.find(key);
  if (!value)
    return;
  if (value->type != gguf_type::u32)
    refuse(model_fault::wrong_type, "expected u32");
  const auto alignment = header_.metadata.u32(key);
  if (!std::has_single_bit(alignment) || alignment < 8 ||
      alignment > gguf_limits::largest_alignment)
    refuse(model_fault::malformed,
           std::to_string(alignment) +
               " is not a power of two between 8 and 65536");
  header_.alignment = alignment;
}

void header_parser::read_tensor() {
  subject_ = "tensor " + std::to_string(header_.tensors.size());
  tensor_info tensor;
  tensor.name = as_view(read_string(gguf_limits::tensor_name_bytes));
  if (tensor.name.empty())
    refuse(model_fault::malformed, "the tensor has no name");
  subject_ = "tensor '" + tensor.name + "'";
  if (!names_.insert(tensor.name).second)
    refuse(model_fault::duplicate, "the tensor appears twice");
  read_shape(tensor);
  const auto type = cursor_.number<std::uint32_t>(subject_);
  tensor.type = ggml_type(type);
  if (!tensor.type)
    refuse(model_fault::malformed,
           "unknown or removed tensor type " + std::to_string(type));
  tensor.offset = cursor_.number<std::uint64_t>(subject_);
  header_.tensors.push_back(std::move(tensor));
}

void header_parser::read_shape(tensor_info& tensor) {
  tensor.rank = cursor_.number<std::uint32_t>(subject_);
  if (tensor.rank < 1 || tensor.rank > 4) {
    const auto rank = std::exchange(tensor.rank, 0);
    refuse(model_fault::malformed,
           std::to_string(rank) + " dimensions; 1 to 4 are allowed");
  }
  for (auto i = tensor.rank; i-- > 0;) { // the file has the innermost first
    tensor.shape[i] = cursor_.number<std::uint64_t>(subject_);
    if (tensor.shape[i] == 0)
      refuse(model_fault::malformed, "a dimension is 0");
  }
}

void header_parser::place_tensors() {
  subject_ = "header";
  header_.data_offset = checked_u64(cursor_.position())
                            .rounded_up(header_.alignment)
                            .value(site());
  checked_u64 end = 0; // of the tensors so far, padded, within the data
  for (auto& tensor : header_.tensors) {
    subject_ = "tensor '" + tensor.name + "'";
    checked_u64 elements = 1;
    for (auto extent : tensor.dimensions())
      elements = elements * extent;
    if (tensor.shape[tensor.rank - 1] % tensor.type->block_elements != 0)
      refuse(model_fault::malformed, "a row is not a whole number of " +
                                         std::string(tensor.type->name) +
                                         " blocks");
    tensor.bytes = storage_bytes(*tensor.type, elements.value(site()), site());
    if (tensor.offset != end.value(site()))
      refuse(model_fault::bad_layout,
             "the tensor does not begin where the one before it ends");
    const auto start = checked_u64(header_.data_offset) + tensor.offset;
    if (!(start + tensor.bytes).at_most(file_bytes_))
      refuse(model_fault::truncated, "the tensor ends past the file's end");
    end = (end + tensor.bytes).rounded_up(header_.alignment);
    tensor.offset = start.value(site());
  }
}

} // namespace

gguf_header parse_gguf_header(std::span<const std::byte> prefix,
                              std::uint64_t file_bytes, std::string_view file) {
  return header_parser(prefix, file_bytes, file).run();
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/safetensors.hpp"

#include "model/checkpoint/byte_cursor.hpp"
#include "model/checkpoint/safetensors_sax.hpp"

#include <algorithm>
#include <tuple>

namespace sluice {

namespace {

constexpr std::uint64_t length_bytes = 8;

[[noreturn]] void refuse(model_fault fault, fault_site site,
                         std::string_view rule) {
  throw model_error(fault, site, rule, download_again);
}

/// The declared bytes must be those of the shape and the type.
void check_size(const tensor_info& tensor, fault_site site) {
  checked_u64 elements = 1;
  for (auto extent : tensor.dimensions())
    elements = elements * extent;
  if (storage_bytes(*tensor.type, elements.value(site), site) != tensor.bytes)
    refuse(model_fault::bad_layout, site,
           "data_offsets disagree with the shape " +
               shape_text(tensor.dimensions()));
}

/// The tensors must fill `data_bytes` exactly, one after the other.
void check_layout(const std::vector<tensor_info>& tensors,
                  std::uint64_t data_bytes, std::string_view file) {
  std::uint64_t end = 0;
  for (const auto& tensor : tensors) {
    const std::string subject = "tensor '" + tensor.name + "'";
    const fault_site site{file, subject};
    check_size(tensor, site);
    if (tensor.offset != end)
      refuse(model_fault::bad_layout, site,
             "the tensor does not begin where the one before it ends");
    end = (checked_u64(tensor.offset) + tensor.bytes).value(site);
    if (end > data_bytes)
      refuse(model_fault::truncated, site,
             "the tensor ends past the file's end");
  }
  if (end != data_bytes)
    refuse(model_fault::bad_layout, {file, "header"},
           "the tensors do not fill the file exactly");
}

} // namespace

std::uint64_t safetensors_header_bytes(std::span<const std::byte> first_eight,
                                       std::uint64_t file_bytes,
                                       std::string_view file) {
  byte_cursor cursor(first_eight, file);
  const auto length = cursor.number<std::uint64_t>("header");
  if (length > safetensors_limits::header_bytes)
    refuse(model_fault::limit, {file, "header"},
           "a header of more than 100000000 bytes");
  if (!(checked_u64(length) + length_bytes).at_most(file_bytes))
    refuse(model_fault::truncated, {file, "header"},
           "the header ends past the file's end");
  return length;
}

safetensors_header parse_safetensors_header(std::span<const std::byte> json,
                                            std::uint64_t file_bytes,
                                            std::string_view file) {
  if (json.empty() || json.front() != std::byte{'{'})
    refuse(model_fault::malformed, {file, "header"},
           "the header does not begin with '{'");
  safetensors_sax events(file);
  const auto* first = reinterpret_cast<const char*>(json.data());
  nlohmann::json::sax_parse(first, first + json.size(), &events);
  auto header = events.take();
  std::ranges::sort(header.tensors, {}, [](const tensor_info& tensor) {
    return std::tuple(tensor.offset, tensor.bytes); // empty ones first
  });
  const std::uint64_t data_offset = length_bytes + json.size();
  if (data_offset > file_bytes)
    refuse(model_fault::truncated, {file, "header"},
           "the header ends past the file's end");
  check_layout(header.tensors, file_bytes - data_offset, file);
  for (auto& tensor : header.tensors)
    tensor.offset += data_offset;
  return header;
}

} // namespace sluice

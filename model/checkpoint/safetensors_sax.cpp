// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/safetensors_sax.hpp"

#include <utility>

namespace sluice {

void safetensors_sax::fail(model_fault fault, std::string_view rule) const {
  const bool in_tensor =
      !tensor_.name.empty() && state_ < state::metadata_begin;
  const std::string subject =
      in_tensor ? "tensor '" + tensor_.name + "'" : "header";
  throw model_error(fault, {file_, subject}, rule, download_again);
}

void safetensors_sax::refuse(std::string_view what) const {
  fail(model_fault::malformed,
       std::string(what) + " where the format has none");
}

bool safetensors_sax::parse_error(std::size_t, const std::string&,
                                  const nlohmann::json::exception& error) {
  fail(model_fault::malformed, "not valid JSON: " + printable(error.what()));
}

bool safetensors_sax::start_object(std::size_t) {
  switch (state_) {
  case state::start:
    state_ = state::tensors;
    return true;
  case state::tensor_begin:
    state_ = state::tensor;
    return true;
  case state::metadata_begin:
    state_ = state::metadata;
    return true;
  default:
    refuse("an object");
  }
}

bool safetensors_sax::key(std::string& value) {
  if (state_ == state::tensors)
    begin_tensor(value);
  else if (state_ == state::tensor)
    begin_member(value);
  else {
    metadata_key_ = std::move(value);
    state_ = state::metadata_value;
  }
  return true;
}

void safetensors_sax::begin_tensor(std::string& name) {
  if (name.size() > safetensors_limits::name_bytes)
    fail(model_fault::limit, "a tensor name longer than 1024 bytes");
  if (name.empty())
    fail(model_fault::malformed, "a tensor has no name");
  tensor_ = {};
  tensor_.name = std::move(name);
  if (!names_.insert(tensor_.name).second)
    fail(model_fault::duplicate, "the name appears twice");
  state_ = tensor_.name == "__metadata__" ? state::metadata_begin
                                          : state::tensor_begin;
  has_shape_ = has_offsets_ = false;
  if (header_.tensors.size() == safetensors_limits::tensors)
    fail(model_fault::limit, "more than 262144 tensors");
}

void safetensors_sax::begin_member(const std::string& member) {
  bool repeated = false;
  if (member == "dtype") {
    repeated = tensor_.type != nullptr;
    state_ = state::dtype;
  } else if (member == "shape") {
    repeated = std::exchange(has_shape_, true);
    state_ = state::shape_begin;
  } else if (member == "data_offsets") {
    repeated = std::exchange(has_offsets_, true);
    state_ = state::offsets_begin;
    offset_count_ = 0;
  } else {
    fail(model_fault::malformed, "unknown member '" + printable(member) + "'");
  }
  if (repeated)
    fail(model_fault::duplicate, "member '" + member + "' appears twice");
}

bool safetensors_sax::string(std::string& value) {
  if (state_ == state::metadata_value) {
    if (!header_.metadata.emplace(metadata_key_, std::move(value)).second)
      fail(model_fault::duplicate,
           "key '" + printable(metadata_key_) + "' appears twice");
    state_ = state::metadata;
    return true;
  }
  if (state_ != state::dtype)
    refuse("a string");
  tensor_.type = safetensors_type(value);
  if (!tensor_.type)
    fail(model_fault::malformed, "unknown dtype '" + printable(value) + "'");
  state_ = state::tensor;
  return true;
}

bool safetensors_sax::start_array(std::size_t) {
  if (state_ != state::shape_begin && state_ != state::offsets_begin)
    refuse("an array");
  state_ = state_ == state::shape_begin ? state::shape : state::offsets;
  return true;
}

bool safetensors_sax::number_unsigned(std::uint64_t value) {
  if (state_ == state::shape) {
    if (tensor_.rank == tensor_.shape.size())
      fail(model_fault::unsupported, "more than 4 dimensions");
    tensor_.shape[tensor_.rank++] = value;
  } else if (state_ == state::offsets) {
    if (offset_count_ == 2)
      fail(model_fault::malformed, "data_offsets has more than 2 entries");
    offsets_[offset_count_++] = value;
  } else {
    refuse("a number");
  }
  return true;
}

bool safetensors_sax::end_array() {
  if (state_ == state::offsets && offset_count_ != 2)
    fail(model_fault::malformed, "data_offsets needs 2 entries");
  state_ = state::tensor;
  return true;
}

bool safetensors_sax::end_object() {
  if (state_ == state::tensor)
    finish_tensor();
  state_ = state_ == state::tensors ? state::done : state::tensors;
  return true;
}

void safetensors_sax::finish_tensor() {
  if (!tensor_.type || !has_shape_ || !has_offsets_)
    fail(model_fault::missing, "dtype, shape and data_offsets are required");
  if (offsets_[1] < offsets_[0])
    fail(model_fault::bad_layout, "the tensor ends before it begins");
  tensor_.offset = offsets_[0];
  tensor_.bytes = offsets_[1] - offsets_[0];
  header_.tensors.push_back(tensor_);
}

} // namespace sluice

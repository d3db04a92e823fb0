// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/safetensors.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include <nlohmann/json.hpp>

namespace sluice {

/// Receives the JSON events of a safetensors header and accepts exactly its
/// grammar: {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}.
/// No tree is built, so a hostile header costs no more memory than its bytes
/// and its tensors. Offsets in the result are relative to the data.
/// @note the interface is nlohmann::json's SAX one; every fault throws
///       model_error at once.
class safetensors_sax {
public:
  explicit safetensors_sax(std::string_view file) : file_(file) {}

  safetensors_header take() { return std::move(header_); }

  bool null() { refuse("a null"); }
  bool boolean(bool) { refuse("a boolean"); }
  bool number_integer(std::int64_t) { refuse("a negative number"); }
  bool number_float(double, const std::string&) { refuse("a fraction"); }
  bool binary(nlohmann::json::binary_t&) { refuse("binary"); }
  bool number_unsigned(std::uint64_t value);
  bool string(std::string& value);
  bool key(std::string& value);
  bool start_object(std::size_t);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array();
  [[noreturn]] bool parse_error(std::size_t position, const std::string& token,
                                const nlohmann::json::exception& error);

private:
  /// Where in the grammar the next event stands.
  enum class state : std::uint8_t {
    start,
    tensors,       ///< expecting a tensor's name
    tensor_begin,  ///< after a name, expecting its object
    tensor,        ///< inside, expecting a member's name
    dtype,         ///< expecting the type's string
    shape_begin,   ///< expecting '['
    shape,         ///< inside the list
    offsets_begin, ///< expecting '['
    offsets,       ///< inside the list
    metadata_begin,
    metadata,
    metadata_value,
    done
  };

  [[noreturn]] void refuse(std::string_view what) const;
  [[noreturn]] void fail(model_fault fault, std::string_view rule) const;
  void begin_tensor(std::string& name);
  void begin_member(const std::string& member);
  void finish_tensor();

  std::string_view file_;
  state state_ = state::start;
  safetensors_header header_;
  std::unordered_set<std::string> names_;
  std::string metadata_key_;
  tensor_info tensor_;
  bool has_shape_ = false;
  bool has_offsets_ = false;
  std::uint32_t offset_count_ = 0;
  std::uint64_t offsets_[2] = {};
};

} // namespace sluice

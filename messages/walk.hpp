// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flatbuffers/flatbuffers.h"

namespace sluice::messages {

/// True if @p text is UTF-8 as RFC 3629 has it: no overlong forms, no
/// surrogates, nothing past U+10FFFF, no unfinished character at the end.
bool is_utf8(std::string_view text) noexcept;

/// Where a value stands in its message; a chain of stack frames that becomes
/// text ("sampling.logit_bias[3].bias") only when there is something to say.
struct value_path {
  const value_path* parent = nullptr;
  const char* name = nullptr; // null: an element of parent
  std::size_t index = 0;      // of that element

  std::string text() const;
};

/// Visits every value of a verified frame by its type table and judges what
/// FlatBuffers' verifier does not. Work and memory are linear in the frame:
/// objects that several offsets share count each time, and a frame whose
/// objects add up to more than its length is refused.
/// @note  fields that a newer schema appended are skipped; where there are any
///        the bytes after the last known object are theirs and may stay.
class value_walker {
public:
  /// @param frame  passed FlatBuffers' verifier with depth and table limits.
  explicit value_walker(std::span<const std::byte> frame);

  /// @return the first value that is wrong, what it is and what it may be.
  std::optional<std::string> check(const flatbuffers::TypeTable& root_type);

private:
  using bytes = const std::uint8_t*;
  using type_table = flatbuffers::TypeTable;
  using element_type = flatbuffers::ElementaryType;

  bool object(bytes at, const type_table& type, const value_path* path);
  bool fields(bytes at, const type_table& type, const value_path* path);
  bool vector(bytes at, element_type type, const type_table* ref,
              const value_path& path);
  bool value(bytes at, element_type type, const type_table* ref,
             const value_path& path);
  bool union_value(bytes at, bytes tag, const type_table& type,
                   const value_path& path);
  bool scalar(bytes at, element_type type, const type_table* ref,
              const value_path& path);
  bool string(bytes at, const value_path& path);

  void note_vtable(bytes table, const type_table& type);
  bool reach(bytes first, std::size_t size, const value_path& path);
  bool refuse(const value_path& path, std::string_view what);
  bool nothing_trails();

  bytes first_;
  std::size_t size_;
  std::size_t furthest_ = 8; // root offset and identifier
  std::size_t visited_ = 8;  // bytes of all visits, shared objects repeated
  bool newer_fields_ = false;
  std::optional<std::string> problem_;
};

} // namespace sluice::messages

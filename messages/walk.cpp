// SPDX-License-Identifier: Apache-2.0
#include "messages/walk.hpp"

#include <algorithm>
#include <cmath>

#include "flatbuffers/minireflect.h"

namespace sluice::messages {
namespace {

using flatbuffers::ReadScalar;
using flatbuffers::TypeTable;

constexpr std::size_t most_padding_bytes = 15;

const std::uint8_t* follow(const std::uint8_t* offset) {
  return offset + ReadScalar<flatbuffers::uoffset_t>(offset);
}

bool is_union(flatbuffers::ElementaryType type, const TypeTable* ref) {
  return type == flatbuffers::ET_SEQUENCE && ref->st == flatbuffers::ST_UNION;
}

/// Elements whose every bit pattern is a legal value need no visit.
bool is_plain(flatbuffers::ElementaryType type, const TypeTable* ref) {
  using namespace flatbuffers;
  return !ref && type != ET_BOOL && type != ET_FLOAT && type != ET_DOUBLE &&
         type != ET_STRING;
}

std::size_t alignment_of(flatbuffers::ElementaryType type,
                         const TypeTable* ref) {
  if (type != flatbuffers::ET_SEQUENCE || ref->st != flatbuffers::ST_STRUCT)
    return flatbuffers::InlineSize(type, ref);
  std::size_t widest = 1;
  for (std::size_t i = 0; i < ref->num_elems; ++i) {
    const auto code = ref->type_codes[i];
    const auto* inner =
        code.sequence_ref >= 0 ? ref->type_refs[code.sequence_ref]() : nullptr;
    const auto field = static_cast<flatbuffers::ElementaryType>(code.base_type);
    widest = std::max(widest, alignment_of(field, inner));
  }
  return widest;
}

std::int64_t read_integer(const std::uint8_t* at,
                          flatbuffers::ElementaryType type) {
  using namespace flatbuffers;
  switch (type) {
  case ET_CHAR:
    return ReadScalar<std::int8_t>(at);
  case ET_SHORT:
    return ReadScalar<std::int16_t>(at);
  case ET_USHORT:
    return ReadScalar<std::uint16_t>(at);
  case ET_INT:
    return ReadScalar<std::int32_t>(at);
  case ET_UINT:
    return ReadScalar<std::uint32_t>(at);
  case ET_LONG:
  case ET_ULONG:
    return ReadScalar<std::int64_t>(at);
  default:
    return *at;
  }
}

bool is_known(std::int64_t value, const TypeTable& type) {
  const auto count = static_cast<std::int64_t>(type.num_elems);
  if (!type.values)
    return value >= 0 && value < count;
  return std::count(type.values, type.values + count, value) > 0;
}

} // namespace

std::string value_path::text() const {
  auto front = parent ? parent->text() : std::string{};
  if (!name)
    return front + '[' + std::to_string(index) + ']';
  return front.empty() ? name : front + '.' + name;
}

value_walker::value_walker(std::span<const std::byte> frame)
    : first_{reinterpret_cast<bytes>(frame.data())}, size_{frame.size()} {}

std::optional<std::string> value_walker::check(const TypeTable& root_type) {
  if (object(follow(first_), root_type, nullptr))
    nothing_trails();
  return std::move(problem_);
}

bool value_walker::object(bytes at, const TypeTable& type,
                          const value_path* path) {
  if (type.st == flatbuffers::ST_STRUCT)
    return fields(at, type, path);
  note_vtable(at, type);
  const value_path here = path ? *path : value_path{nullptr, "message"};
  return reach(at, sizeof(flatbuffers::soffset_t), here) &&
         fields(at, type, path);
}

bool value_walker::fields(bytes at, const TypeTable& type,
                          const value_path* path) {
  const bool is_table = type.st == flatbuffers::ST_TABLE;
  const auto* table = reinterpret_cast<const flatbuffers::Table*>(at);
  bytes previous = nullptr;
  for (std::size_t i = 0; i < type.num_elems; ++i) {
    const auto code = type.type_codes[i];
    const auto* ref =
        code.sequence_ref >= 0 ? type.type_refs[code.sequence_ref]() : nullptr;
    const auto kind = static_cast<element_type>(code.base_type);
    const auto slot = static_cast<flatbuffers::voffset_t>(i);
    const auto* field =
        is_table ? table->GetAddressOf(flatbuffers::FieldIndexToOffset(slot))
                 : at + type.values[i];
    const value_path here{path, type.names[i]};
    const auto inline_size = code.is_repeating
                                 ? sizeof(flatbuffers::uoffset_t)
                                 : flatbuffers::InlineSize(kind, ref);
    if (field && is_table && !reach(field, inline_size, here))
      return false;
    if (is_union(kind, ref) && !code.is_repeating) {
      if (!union_value(field, previous, *ref, here))
        return false;
    } else if (field &&
               !(code.is_repeating ? vector(follow(field), kind, ref, here)
                                   : value(field, kind, ref, here))) {
      return false;
    }
    previous = field;
  }
  return true;
}

bool value_walker::vector(bytes at, element_type type, const TypeTable* ref,
                          const value_path& path) {
  if (is_union(type, ref))
    return refuse(path, "is a vector of unions; no message has one");
  const std::size_t count = ReadScalar<flatbuffers::uoffset_t>(at);
  const auto stride = flatbuffers::InlineSize(type, ref);
  if (!reach(at, sizeof(flatbuffers::uoffset_t) + count * stride, path))
    return false;
  const auto* element = at + sizeof(flatbuffers::uoffset_t);
  const auto offset = static_cast<std::size_t>(element - first_);
  if (count > 0 && offset % alignment_of(type, ref) != 0)
    return refuse(path, "is misaligned; build frames with FlatBuffers");
  if (is_plain(type, ref))
    return true;
  for (std::size_t i = 0; i < count; ++i, element += stride)
    if (!value(element, type, ref, value_path{&path, nullptr, i}))
      return false;
  return true;
}

bool value_walker::value(bytes at, element_type type, const TypeTable* ref,
                         const value_path& path) {
  if (type == flatbuffers::ET_STRING)
    return string(follow(at), path);
  if (type != flatbuffers::ET_SEQUENCE)
    return scalar(at, type, ref, path);
  return object(ref->st == flatbuffers::ST_TABLE ? follow(at) : at, *ref,
                &path);
}

bool value_walker::union_value(bytes at, bytes tag, const TypeTable& type,
                               const value_path& path) {
  const std::uint8_t kind = tag ? *tag : 0;
  if (!is_known(kind, type)) // before anything of the unverified value is read
    return refuse(path, "is of the unknown type " + std::to_string(kind));
  if ((kind == 0) != (at == nullptr))
    return refuse(path,
                  kind ? "has a type but no value" : "has a value but no type");
  if (!at)
    return true;
  const auto ref = type.type_codes[kind].sequence_ref;
  return object(follow(at), *type.type_refs[ref](), &path);
}

bool value_walker::scalar(bytes at, element_type type, const TypeTable* ref,
                          const value_path& path) {
  using namespace flatbuffers;
  if (type == ET_FLOAT || type == ET_DOUBLE) {
    const double number =
        type == ET_FLOAT ? ReadScalar<float>(at) : ReadScalar<double>(at);
    return std::isfinite(number) ||
           refuse(path, "is " + std::to_string(number) + "; it must be finite");
  }
  if (type != ET_BOOL && !ref)
    return true;
  const auto number = read_integer(at, type);
  const bool legal =
      type == ET_BOOL ? number == 0 || number == 1 : is_known(number, *ref);
  return legal || refuse(path, "is " + std::to_string(number) +
                                   "; it is none of the known values");
}

bool value_walker::string(bytes at, const value_path& path) {
  const auto* text = reinterpret_cast<const flatbuffers::String*>(at);
  return reach(at, sizeof(flatbuffers::uoffset_t) + text->size() + 1, path) &&
         (is_utf8(text->string_view()) || refuse(path, "is not valid UTF-8"));
}

void value_walker::note_vtable(bytes table, const TypeTable& type) {
  const auto* vtable = table - ReadScalar<flatbuffers::soffset_t>(table);
  const std::size_t size = ReadScalar<flatbuffers::voffset_t>(vtable);
  furthest_ =
      std::max(furthest_, static_cast<std::size_t>(vtable - first_) + size);
  const auto known = flatbuffers::FieldIndexToOffset(
      static_cast<flatbuffers::voffset_t>(type.num_elems));
  for (std::size_t slot = known; slot < size; slot += 2)
    newer_fields_ |= ReadScalar<flatbuffers::voffset_t>(vtable + slot) != 0;
}

bool value_walker::reach(bytes first, std::size_t size,
                         const value_path& path) {
  const auto offset = static_cast<std::size_t>(first - first_);
  furthest_ = std::max(furthest_, offset + size);
  visited_ += size;
  return visited_ <= size_ ||
         refuse(path, "shares its bytes with other values; write each apart");
}

bool value_walker::refuse(const value_path& path, std::string_view what) {
  problem_ = path.text() + ' ';
  problem_->append(what);
  return false;
}

bool value_walker::nothing_trails() {
  if (newer_fields_)
    return true;
  const auto* last = first_ + size_;
  const auto trailing = size_ - std::min(furthest_, size_);
  if (trailing <= most_padding_bytes &&
      std::all_of(last - trailing, last, [](auto byte) { return byte == 0; }))
    return true;
  problem_ = std::to_string(trailing) +
             " bytes trail the message; send exactly one frame a part";
  return false;
}

} // namespace sluice::messages

// SPDX-License-Identifier: Apache-2.0
#include "tests/support/random_frame.hpp"

#include <array>
#include <string>
#include <vector>

#include "flatbuffers/minireflect.h"

namespace sluice::testing {
namespace {

using namespace flatbuffers;

/// A field that was made ready before its table begins.
struct ready_field {
  voffset_t slot;
  uoffset_t offset = 0;            // of a child object, if any
  std::vector<std::uint8_t> bytes; // otherwise the value itself
  std::size_t alignment = 1;
};

class message_builder {
public:
  message_builder(FlatBufferBuilder& builder, generator& random)
      : builder_{builder}, random_{random} {}

  uoffset_t table(const TypeTable& type);

private:
  std::size_t below(std::size_t count) { return random_() % count; }

  uoffset_t child(ElementaryType type, const TypeTable* ref);
  uoffset_t vector(ElementaryType type, const TypeTable* ref);
  ready_field inline_value(ElementaryType type, const TypeTable* ref);
  void append_scalar(std::vector<std::uint8_t>& out, ElementaryType type,
                     const TypeTable* ref);
  void add_union(voffset_t slot, const TypeTable& type,
                 std::vector<ready_field>& fields);
  void add_field(const TypeTable& type, std::size_t index,
                 std::vector<ready_field>& fields);
  std::string text();

  FlatBufferBuilder& builder_;
  generator& random_;
};

const TypeTable* reference(const TypeTable& type, std::size_t field) {
  const auto ref = type.type_codes[field].sequence_ref;
  return ref >= 0 ? type.type_refs[ref]() : nullptr;
}

bool is_child(ElementaryType type, const TypeTable* ref) {
  return type == ET_STRING || (type == ET_SEQUENCE && ref->st == ST_TABLE);
}

template <class Value>
void append(std::vector<std::uint8_t>& out, Value value) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), first, first + sizeof value);
}

std::string message_builder::text() {
  static const std::array<std::string, 8> pieces{
      "a", "Zeile\n", "é", "\u20ac", "\U0001F600", "\uFFFD", "\u0301", " "};
  std::string result;
  for (auto left = below(6); left > 0; --left)
    result += pieces[below(pieces.size())];
  return result;
}

void message_builder::append_scalar(std::vector<std::uint8_t>& out,
                                    ElementaryType type, const TypeTable* ref) {
  auto bits = random_();
  if (ref) // an enum
    bits = static_cast<std::uint64_t>(
        ref->values ? ref->values[below(ref->num_elems)]
                    : static_cast<std::int64_t>(below(ref->num_elems)));
  if (type == ET_BOOL)
    bits &= 1;
  if (type == ET_FLOAT)
    return append(out, static_cast<float>(bits % 2000) / 1000);
  if (type == ET_DOUBLE)
    return append(out, static_cast<double>(bits) / 1000);
  const auto size = InlineSize(type, ref);
  for (std::size_t i = 0; i < size; ++i)
    out.push_back(static_cast<std::uint8_t>(bits >> (8 * i)));
}

/// A scalar or a struct of scalars. Ours have no padding inside.
ready_field message_builder::inline_value(ElementaryType type,
                                          const TypeTable* ref) {
  ready_field result{};
  if (type != ET_SEQUENCE) {
    append_scalar(result.bytes, type, ref);
    result.alignment = result.bytes.size();
    return result;
  }
  for (std::size_t i = 0; i < ref->num_elems; ++i) {
    const auto field =
        static_cast<ElementaryType>(ref->type_codes[i].base_type);
    append_scalar(result.bytes, field, reference(*ref, i));
    result.alignment =
        std::max(result.alignment, InlineSize(field, reference(*ref, i)));
  }
  return result;
}

uoffset_t message_builder::child(ElementaryType type, const TypeTable* ref) {
  return type == ET_STRING ? builder_.CreateString(text()).o : table(*ref);
}

uoffset_t message_builder::vector(ElementaryType type, const TypeTable* ref) {
  const auto count = below(4);
  if (is_child(type, ref)) {
    std::vector<Offset<void>> children;
    for (std::size_t i = 0; i < count; ++i)
      children.emplace_back(child(type, ref));
    return builder_.CreateVector(children).o;
  }
  std::vector<std::uint8_t> bytes;
  std::size_t alignment = 1;
  for (std::size_t i = 0; i < count; ++i) {
    const auto element = inline_value(type, ref);
    bytes.insert(bytes.end(), element.bytes.begin(), element.bytes.end());
    alignment = element.alignment;
  }
  builder_.StartVector(bytes.size() / alignment, alignment);
  builder_.PushBytes(bytes.data(), bytes.size());
  return builder_.EndVector(count);
}

void message_builder::add_union(voffset_t slot, const TypeTable& type,
                                std::vector<ready_field>& fields) {
  const auto tag = below(type.num_elems);
  if (tag == 0)
    return;
  const auto value_slot = static_cast<voffset_t>(slot + sizeof(voffset_t));
  fields.push_back({slot, 0, {static_cast<std::uint8_t>(tag)}, 1});
  fields.push_back({value_slot, table(*reference(type, tag)), {}, 4});
}

/// Makes the field's value ready, or leaves the field out.
void message_builder::add_field(const TypeTable& type, std::size_t index,
                                std::vector<ready_field>& fields) {
  const auto code = type.type_codes[index];
  const auto kind = static_cast<ElementaryType>(code.base_type);
  const auto* ref = reference(type, index);
  const auto slot = FieldIndexToOffset(static_cast<voffset_t>(index));
  const bool is_object = kind == ET_SEQUENCE && !code.is_repeating;
  if (kind == ET_UTYPE)
    return add_union(slot, *ref, fields);
  if ((is_object && ref->st == ST_UNION) || (!is_object && below(8) == 0))
    return;
  if (code.is_repeating)
    return fields.push_back({slot, vector(kind, ref), {}, 4});
  if (is_child(kind, ref))
    return fields.push_back({slot, child(kind, ref), {}, 4});
  fields.push_back(inline_value(kind, ref));
  fields.back().slot = slot;
}

uoffset_t message_builder::table(const TypeTable& type) {
  std::vector<ready_field> fields;
  for (std::size_t i = 0; i < type.num_elems; ++i)
    add_field(type, i, fields);
  const auto start = builder_.StartTable();
  for (const auto& field : fields) {
    if (field.offset) {
      builder_.AddOffset(field.slot, Offset<void>{field.offset});
      continue;
    }
    builder_.Align(field.alignment);
    builder_.PushBytes(field.bytes.data(), field.bytes.size());
    builder_.TrackField(field.slot, builder_.GetSize());
  }
  return builder_.EndTable(start);
}

} // namespace

DetachedBuffer random_message(const TypeTable& type, const char* identifier,
                              generator& random) {
  FlatBufferBuilder builder;
  const auto root = message_builder{builder, random}.table(type);
  builder.Finish(Offset<void>{root}, identifier);
  return builder.Release();
}

} // namespace sluice::testing

// SPDX-License-Identifier: Apache-2.0
#include "model/tokenizer/piece_types.hpp"

#include <cstddef>
#include <optional>

namespace sluice {

namespace {

/// One field of a message: a number, or the bytes of all else.
struct field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

/// Walks over the fields of a message; ends early where it makes no sense.
class field_reader {
public:
  explicit field_reader(std::string_view message) : rest_(message) {}

  std::optional<field> next() {
    const auto key = varint();
    if (!key)
      return std::nullopt;
    field found{.number = *key >> 3};
    switch (*key & 7) {
    case 0:
      if (const auto value = varint()) {
        found.value = *value;
        return found;
      }
      return std::nullopt;
    case 1:
      return take(8, found);
    case 2:
      if (const auto length = varint())
        return take(*length, found);
      return std::nullopt;
    case 5:
      return take(4, found);
    default:
      return std::nullopt;
    }
  }

private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80)
        return value;
    }
    return std::nullopt;
  }

  std::optional<field> take(std::uint64_t length, field found) {
    if (length > rest_.size())
      return std::nullopt;
    found.bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return found;
  }

  std::string_view rest_;
};

} // namespace

std::vector<std::int32_t> piece_types(std::string_view model) {
  constexpr std::uint64_t pieces = 1, type = 3;
  constexpr std::int32_t normal = 1;
  std::vector<std::int32_t> types;
  field_reader message(model);
  while (const auto piece = message.next()) {
    if (piece->number != pieces)
      continue;
    types.push_back(normal);
    field_reader inner(piece->bytes);
    while (const auto part = inner.next())
      if (part->number == type && part->value <= 6)
        types.back() = static_cast<std::int32_t>(part->value);
  }
  return types;
}

} // namespace sluice

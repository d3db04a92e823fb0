// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice {

/// What a token is for.
enum class token_kind : std::uint8_t {
  normal,       // made by merging
  unknown,      // stands for text that the vocabulary cannot write
  control,      // BOS, EOS, ...: never text of a user
  user_defined, // matched in the text before anything else
  byte,         // one byte, for text that no other token covers
  unused        // a filler: never produced
};

struct vocabulary_entry {
  std::string text; // the bytes it adds to a text; the name of a control token
  token_kind kind = token_kind::normal;
};

/// Lets a map of strings be asked with a view.
struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
using text_ids =
    std::unordered_map<std::string, std::uint32_t, text_hash, std::equal_to<>>;

/// Token ids, their bytes and their names. Plain data that the loaders fill.
class vocabulary {
public:
  /// More ids than any model has; keeps ids and flags in 32 bits.
  static constexpr std::size_t max_tokens = std::size_t{1} << 24;

  /// Appends the next id.
  /// @param name   the token in the model's file, unique or it is not found.
  /// @param entry  what it is.
  void add(std::string name, vocabulary_entry entry);

  std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(entries_.size());
  }
  const vocabulary_entry& operator[](std::uint32_t id) const noexcept {
    return entries_[id];
  }
  vocabulary_entry& operator[](std::uint32_t id) noexcept {
    return entries_[id];
  }

  /// The token as the model's file writes it.
  std::string_view name(std::uint32_t id) const noexcept { return names_[id]; }

  /// Id of a name; of equal names the lowest id.
  std::optional<std::uint32_t> find(std::string_view name) const;

  /// Id of the byte token "<0xNN>".
  std::optional<std::uint32_t> find_byte(unsigned char byte) const;

private:
  std::vector<vocabulary_entry> entries_; // [vocab]
  std::vector<std::string> names_;        // [vocab]
  text_ids by_name_;
};

/// The byte that a name of the form "<0xNN>" stands for.
std::optional<unsigned char> parse_byte_token(std::string_view name) noexcept;

} // namespace sluice

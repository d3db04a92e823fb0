// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// Byte-level vocabularies write each byte as a printable character: bytes
/// that print stand for themselves, the other 68 for U+0100 and up.
/// @return the character, in UTF-8, that stands for a byte.
/// @source Radford et al. 2019 (GPT-2), `bytes_to_unicode`.
std::string_view byte_level_char(unsigned char byte) noexcept;

/// The bytes that a token's name stands for, or nothing if a character of the
/// name stands for no byte.
std::optional<std::string> byte_level_bytes(std::string_view name);

} // namespace sluice

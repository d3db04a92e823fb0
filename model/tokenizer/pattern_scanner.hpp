// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

/// A hand-written matcher for one pre-tokenizer pattern: every position of
/// every text begins a match, so it returns the end of the piece at an offset.
/// Linear in the text and free of recursion, which no general regular
/// expression engine promises for these patterns.
/// @param at  less than text.size(), at the beginning of a character.
/// @return an offset greater than `at`.
using pattern_scanner = std::size_t (*)(std::string_view text, std::size_t at);

std::size_t scan_gpt2(std::string_view text, std::size_t at);
std::size_t scan_llama3(std::string_view text, std::size_t at);
std::size_t scan_qwen2(std::string_view text, std::size_t at);

/// The patterns as their publishers write them.
inline constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// @return the scanner of a pattern, nullptr if there is none.
pattern_scanner find_scanner(std::string_view pattern) noexcept;

} // namespace sluice

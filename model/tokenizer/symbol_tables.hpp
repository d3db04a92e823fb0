// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/merge_table.hpp"
#include "model/tokenizer/vocabulary.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sluice {

// What a bpe_model is filled with, from the names of a vocabulary.

/// Id of each byte: by its character in byte-level vocabularies, by "<0xNN>" in
/// others; bpe_model::no_id where there is none.
std::array<std::uint32_t, 256> byte_symbols(const vocabulary& words,
                                            bool byte_level);

/// Ids of the tokens whose name is one character and that text may become.
std::unordered_map<char32_t, std::uint32_t>
char_symbols(const vocabulary& words);

/// Ids by the text that the pre-tokenizer would cut; without control
/// tokens, so that no text of a user becomes one.
text_ids whole_words(const vocabulary& words, bool byte_level);

/// Adds the merge of two named tokens, whose result is the joined name. A merge
/// into a control or unused token is left out: text of a user must not become
/// one.
/// @param subject  for the error text.
/// @throws model_error (missing) if one of the three is not in the vocabulary.
void add_merge(std::string_view left, std::string_view right,
               std::uint32_t rank, const vocabulary& words,
               const std::string& subject, merge_table& merges);

} // namespace sluice

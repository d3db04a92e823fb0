// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/merge_table.hpp"
#include "model/tokenizer/vocabulary.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace sluice {

/// The merges that SentencePiece finds by looking up joined pieces: every way
/// to cut a piece in two symbols merges into it, the higher score first.
///
/// With them in a table the one merge loop serves both schemes. A symbol is a
/// piece or a single character, which need not be a piece. Only normal pieces
/// are made.
/// @param scores    [vocab]; equal scores get equal ranks.
/// @param char_ids  as bpe_model::char_ids.
/// @throws model_error for a score that is not a number or a piece of more than
///         512 bytes.
/// @source Kudo and Richardson 2018; the BPE model of SentencePiece.
merge_table
piece_merges(const vocabulary& words, const std::vector<float>& scores,
             const std::unordered_map<char32_t, std::uint32_t>& char_ids);

} // namespace sluice

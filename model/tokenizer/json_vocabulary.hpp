// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/added_tokens.hpp"
#include "model/tokenizer/bpe_encoder.hpp"
#include "model/tokenizer/json_components.hpp"
#include "model/tokenizer/vocabulary.hpp"

#include <vector>

#include <nlohmann/json.hpp>

namespace sluice {

/// "added_tokens" of a tokenizer.json.
std::vector<added_token> read_added_tokens(const nlohmann::json& list);

/// "model.vocab" and the added tokens as one vocabulary.
/// @throws model_error for ids that leave a hole, collide or reach 2^24.
vocabulary read_vocabulary(const nlohmann::json& model,
                           const std::vector<added_token>& added,
                           const decoder_rules& decoder);

/// "model": byte-pair encoding, the one type that is supported.
/// @throws model_error for merges of tokens that do not exist.
bpe_model read_bpe_model(const nlohmann::json& model, const vocabulary& words,
                         bool byte_level);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/added_tokens.hpp"
#include "model/tokenizer/normalizer.hpp"
#include "model/tokenizer/segment_encoder.hpp"
#include "model/tokenizer/vocabulary.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

/// What the loaders fill and the tokenizer runs.
struct tokenizer_parts {
  vocabulary words;               // [vocab], with the bytes of each token
  added_token_matcher raw_tokens; // matched in the text as it comes
  added_token_matcher normalized_tokens; // matched after the normaliser
  normalizer normalize;
  std::unique_ptr<const segment_encoder> encoder;
  std::vector<std::uint32_t> prefix; // ids that the template puts first
  std::vector<std::uint32_t> suffix; // and last
  std::optional<std::uint32_t> bos;
  std::vector<std::uint32_t> eos;
  bool strip_leading_space = false; // of a decoded text
  std::string description;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/normalizer.hpp"
#include "model/tokenizer/pre_tokenizer.hpp"
#include "model/tokenizer/vocabulary.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice {

// The components of a tokenizer.json, each read from its own object. A type
// that is not known is refused by name; so is an option that would change the
// result and is not implemented.

/// "pre_tokenizer".
struct pre_tokenizer_rules {
  pre_tokenizer_ptr pieces;    // null: the text is one piece
  bool byte_level = false;     // the merges work on bytes
  std::string scheme = "none"; // for descriptions
};
pre_tokenizer_rules read_pre_tokenizer(const nlohmann::json& component);

/// "normalizer": appends its steps.
void read_normalizer(const nlohmann::json& component, normalizer& steps);

/// "post_processor": the ids around a single text.
struct text_template {
  std::vector<std::uint32_t> prefix;
  std::vector<std::uint32_t> suffix;
};
text_template read_post_processor(const nlohmann::json& component,
                                  const vocabulary& words);

/// "decoder": how a token's name becomes bytes.
struct decoder_rules {
  bool byte_level = false;
  bool byte_tokens = false; // "<0xNN>" is a byte
  std::vector<std::pair<std::string, std::string>> replacements;
  bool strip_leading_space = false;
};
decoder_rules read_decoder(const nlohmann::json& component);

/// @throws model_error (wrong_type) if the member is not of its type.
std::string text_member(const nlohmann::json& object, const char* key,
                        const std::string& fallback);
bool flag_member(const nlohmann::json& object, const char* key, bool fallback);
const nlohmann::json& list_member(const nlohmann::json& object,
                                  const char* key);
const nlohmann::json& object_member(const nlohmann::json& object,
                                    const char* key);

/// The "type" of a component, which must be an object.
std::string component_type(const nlohmann::json& component, const char* slot);

[[noreturn]] void refuse_component(const char* slot, const std::string& type,
                                   const std::string& known);

} // namespace sluice

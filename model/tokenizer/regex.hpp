// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tokenizer/pre_tokenizer.hpp"

#include <string>
#include <string_view>

namespace sluice {

/// Translates a pattern of a tokenizer.json, written for Oniguruma, to PCRE2.
///
/// \s, \w and \d become the sets that Oniguruma means, script properties the
/// plain script. Constructs that the two engines read differently and that
/// have no translation are refused.
/// @throws model_error (unsupported) that names the construct.
std::string translate_pattern(std::string_view pattern);

/// Matches of a pattern for which there is no hand-written scanner.
/// @throws model_error if the pattern does not compile; the finder throws
///         model_error (limit) when a text makes it backtrack without bound.
/// @note   matching steps, depth and memory are limited; bytes that are
///         not UTF-8 match nothing and end the text for what is before them.
match_finder find_regex(std::string_view pattern);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/model_error.hpp"

#include <string>
#include <string_view>

namespace sluice {

/// What to do about a component that is not supported.
inline constexpr std::string_view convert_tokenizer =
    "convert the tokenizer to one of the supported kinds, or ask for support "
    "of this one";

/// Throws the model_error of a tokenizer description.
/// @param subject  the component or token, e.g. "model.merges[3]".
[[noreturn]] inline void
refuse_tokenizer(model_fault fault, const std::string& subject,
                 const std::string& rule,
                 std::string_view remedy = download_again) {
  throw model_error(fault, {"tokenizer", subject}, rule, remedy);
}

} // namespace sluice

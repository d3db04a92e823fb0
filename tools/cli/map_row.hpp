// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <variant>

#include "tools/cli/json_output.hpp"
#include "tools/cli/line_reader.hpp"
#include "tools/cli/request_flags.hpp"

namespace sluice::cli {

/// A row of the input: who it is, and its request or what is wrong with it.
struct map_row {
  json custom_id; // a string, a number, or null
  std::variant<messages::SubmitT, client::failure> request;
};

/// Reads {"custom_id", "prompt" or "messages", "params"}; other keys are the
/// user's own. The row's params win over the flags.
map_row parse_row(const text_line& line, const request_flags& flags);

/// Sets params.{temperature, max_tokens, stop, …} in a request.
/// @throws client::bad_request naming the member that is unknown or wrong.
void apply_params(const json& params, messages::SubmitT& submit);

/// The row of the output for a request that ended well.
std::string format_result(const json& custom_id, std::uint64_t line,
                          const client::completion& text,
                          const client::finished& end);

/// The row of the output for a request that did not.
std::string format_failure(const json& custom_id, std::uint64_t line,
                           const client::failure& failure);

} // namespace sluice::cli

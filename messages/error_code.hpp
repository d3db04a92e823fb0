// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "messages/common_generated.h"

namespace sluice::messages {

/// One row of the table of errors.
struct error_entry {
  ErrorCode code;
  std::string_view name;    // stable, for logs, metrics and clients
  std::string_view meaning; // one sentence
  std::string_view remedy;  // what to do about it
};

/// The row of a code; every code has one (checked at compile time).
const error_entry& describe(ErrorCode code) noexcept;

/// "queue_full".
inline std::string_view to_string(ErrorCode code) noexcept {
  return describe(code).name;
}

/// "stop_token", "length", …
std::string_view to_string(FinishReason reason) noexcept;

} // namespace sluice::messages

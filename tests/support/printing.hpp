// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>

#include "messages/error_code.hpp"

// How Boost.Test prints our enumerations.
namespace sluice::messages {

inline std::ostream& operator<<(std::ostream& out, ErrorCode code) {
  return out << to_string(code);
}

inline std::ostream& operator<<(std::ostream& out, FinishReason reason) {
  return out << to_string(reason);
}

} // namespace sluice::messages

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages/common_generated.h"

#include <stdexcept>
#include <string>

namespace sluice {

/// One row of a plan, or one sequence, cannot be run; the others can. Becomes
/// the row's code and text and never leaves the lane.
class row_error : public std::runtime_error {
public:
  row_error(messages::ErrorCode code, const std::string& text)
      : std::runtime_error{text}, code_{code} {}

  messages::ErrorCode code() const noexcept { return code_; }

private:
  messages::ErrorCode code_;
};

} // namespace sluice

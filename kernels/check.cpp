// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"

namespace sluice {

contract_violation::contract_violation(const std::string& text)
    : std::logic_error(text) {}

contract_violation::~contract_violation() = default;

void require(bool holds, const char* text) {
  if (!holds) {
    throw contract_violation(text);
  }
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace sluice {

/// A caller broke a documented contract: a bug in the program, or input that
/// an earlier check should have refused. The text names the rule and the
/// remedy in one line.
class contract_violation : public std::logic_error {
public:
  explicit contract_violation(const std::string& text);
  ~contract_violation() override;
};

/// Throws unless a contract holds.
/// @param holds  the condition.
/// @param text   one line: "where: rule; remedy".
/// @throws contract_violation with `text` when `holds` is false.
void require(bool holds, const char* text);

} // namespace sluice

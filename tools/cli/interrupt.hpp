// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sluice::cli {

/// Counts Ctrl-C instead of dying, as long as it lives: the first asks the
/// command to end what it does, the third kills the process. Blocking calls
/// return early.
class interrupt_guard {
public:
  interrupt_guard();
  ~interrupt_guard();
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;

  /// How often Ctrl-C (or SIGTERM) came.
  int count() const noexcept;
};

} // namespace sluice::cli

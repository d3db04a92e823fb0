// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_store.hpp"
#include "memory/swap_store.hpp"
#include "messages/lane_generated.h"

namespace sluice {

/// Carries out what plans say of pages: swaps to host memory and back, copies.
class page_mover {
public:
  /// @param host_slots  pages that host memory holds; 0: nothing is swapped.
  /// @throws as swap_store.
  page_mover(const kv_shape& shape, std::uint32_t host_slots)
      : host_{shape, host_slots} {}

  /// First what goes out, then what comes in, then the copies: a page that went
  /// out may be written at once.
  /// @throws contract_violation for a page or slot that there is not; the moves
  ///         before it have been made.
  void carry_out(const messages::StepPlan& plan, kv_store& cache);

private:
  swap_store host_;
};

} // namespace sluice

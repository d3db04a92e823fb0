// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "actors/policy/lane_schedule.hpp"
#include "actors/policy/preemption.hpp"

namespace sluice::policy {

/// What a pool has, as its last grant said.
struct pool_room {
  std::uint32_t available = 0;  // pages: free, or cached and wanted by nobody
  std::uint32_t free_slots = 0; // pages that host memory can take
  bool anybody_waits = false;   // for pages
};

/// Says who gives way when a pool is short of pages, and who comes back.
/// Nobody comes back while others wait, and nobody just to give way again:
/// see preemption_rules.
class page_pressure {
public:
  explicit page_pressure(preemption_rules rules) : rules_{rules} {}

  void pool_has(const pool_room& room) { room_ = room; }

  /// Host memory took or gave so many bytes in that time: what swapping costs.
  void moved(std::uint64_t bytes, instant took);

  /// Takes sequences out of the lane so that pages come free.
  /// @return who gave way and how.
  std::vector<victim> relieve(lane_schedule& lane, std::uint32_t missing);

  /// Takes those out that wait for pages, so that others get the step, but for
  /// the highest-ranked of all: nobody can make room for that one.
  /// @return who gave way.
  std::vector<victim> step_back(lane_schedule& lane,
                                std::span<const std::uint64_t> waiting);

  /// Who may go on; they are still outside.
  std::vector<std::uint64_t> returns(const lane_schedule& lane) const;

  const preemption_rules& rules() const { return rules_; }

private:
  preemption_rules rules_;
  pool_room room_;
};

} // namespace sluice::policy

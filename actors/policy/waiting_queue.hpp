// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "actors/policy/fair_share.hpp"

namespace sluice::policy {

/// A request's place among those that wait.
struct waiting_place {
  std::string tenant;
  std::int32_t priority = 0; // higher is sooner
  std::uint64_t order = 0;   // of arrival, among all
  std::uint64_t request = 0;
};

/// Requests that wait, by priority, then by tenant, then by arrival: within a
/// tenant nobody is overtaken by an equal.
class waiting_queue {
public:
  void push(const waiting_place& place);
  void erase(const waiting_place& place);

  /// The next request: of the highest priority, the tenant with the lowest
  /// counter, the earliest of equals.
  /// @param may_run  tenants that are at a limit are passed over.
  std::optional<std::uint64_t>
  next(const fair_share& shares,
       const std::function<bool(const std::string&)>& may_run) const;

  std::uint32_t size() const noexcept { return size_; }

private:
  using line = std::set<std::pair<std::uint64_t, std::uint64_t>>;
  using level = std::map<std::string, line>; // tenants with requests

  static std::optional<std::uint64_t>
  next_of(const level& tenants, const fair_share& shares,
          const std::function<bool(const std::string&)>& may_run);

  std::map<std::int32_t, level, std::greater<>> levels_;
  std::uint32_t size_ = 0;
};

} // namespace sluice::policy

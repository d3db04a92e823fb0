// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/page_pool.hpp"

#include <map>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

/// Number of a place for one page in host memory; the bytes are swap_store's.
using slot_id = std::uint32_t;

/// The bounded host memory for swapped pages: which slots are free, in use, or
/// given back while an unfinished plan may still read or write them.
class host_slots {
public:
  explicit host_slots(std::uint32_t slots) : pool_{slots} {}

  /// @return `count` slots, or nothing if fewer are free; then none is taken.
  std::optional<std::vector<slot_id>> take(std::uint32_t count);

  /// Slots are free again when this plan is done.
  /// @throws contract_violation for slots that were not taken.
  void give_back(std::vector<slot_id> slots, std::uint64_t plan);

  /// Every plan up to this one is done.
  void settle(std::uint64_t plan);

  std::uint32_t size() const noexcept { return pool_.size(); }
  std::uint32_t free() const noexcept {
    return static_cast<std::uint32_t>(pool_.free_list().size());
  }
  /// Holding pages of somebody.
  std::uint32_t used() const noexcept { return used_; }

private:
  page_pool pool_;
  std::multimap<std::uint64_t, std::vector<slot_id>> waiting_; // by plan
  std::optional<std::uint64_t> settled_;
  std::uint32_t used_ = 0;
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "memory/host_slots.hpp"

#include "kernels/check.hpp"

#include <algorithm>

namespace sluice {

std::optional<std::vector<slot_id>> host_slots::take(std::uint32_t count) {
  auto taken = pool_.take(count);
  if (taken)
    used_ += count;
  return taken;
}

void host_slots::give_back(std::vector<slot_id> slots, std::uint64_t plan) {
  require(slots.size() <= used_, "host_slots: more slots come back than were "
                                 "taken; return each once");
  used_ -= static_cast<std::uint32_t>(slots.size());
  waiting_.emplace(plan, std::move(slots));
  if (settled_)
    settle(*settled_);
}

void host_slots::settle(std::uint64_t plan) {
  settled_ = std::max<std::optional<std::uint64_t>>(settled_, plan);
  while (!waiting_.empty() && waiting_.begin()->first <= *settled_) {
    pool_.put_back(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/stall.hpp"

namespace sluice::policy {
namespace {

std::string seconds(instant age) {
  return std::to_string(
             std::chrono::duration_cast<std::chrono::seconds>(age).count()) +
         " s";
}

std::string requests(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " request" : " requests");
}

} // namespace

// The first that holds is the cause of those behind it.
std::string find_stall(const lane_pulse& pulse, instant limit) {
  if (pulse.plans > 0 && pulse.plan_age > limit)
    return "the executor has worked on step " +
           std::to_string(pulse.oldest_plan) + " for " +
           seconds(pulse.plan_age);
  if (pulse.awaits_pages && pulse.pages_age > limit)
    return "the kv_page_manager has not answered for " +
           seconds(pulse.pages_age);
  if (pulse.batcher_age > limit)
    return "the batcher has not answered for " + seconds(pulse.batcher_age);
  if (pulse.scheduler_age > limit)
    return "the scheduler has not answered for " + seconds(pulse.scheduler_age);
  if (pulse.sequences > 0 && pulse.plans == 0 && !pulse.awaits_pages &&
      pulse.step_age > limit)
    return "the batcher has " + std::to_string(pulse.sequences) +
           " sequences and has planned no step for " + seconds(pulse.step_age);
  if (pulse.waiting > 0 && pulse.running == 0 && pulse.decision_age > limit)
    return "the scheduler lets " + requests(pulse.waiting) +
           " wait, runs none, and has decided nothing for " +
           seconds(pulse.decision_age);
  return {};
}

} // namespace sluice::policy

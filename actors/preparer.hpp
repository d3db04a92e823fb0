// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "actors/interfaces.hpp"
#include "model/prepare.hpp"

namespace sluice::actors {

/// Turns text into tokens, away from the scheduler: a huge prompt stalls
/// nobody else. Owns nothing; several of them share the lanes' profiles.
class preparer_state {
public:
  static constexpr const char* name = "preparer";

  explicit preparer_state(preparer_actor::pointer self);

  void configure(std::vector<lane_profile> lanes, scheduler_actor scheduler);
  void take(request_number request, frame<messages::Submit> submit);

private:
  preparer_actor::pointer self_;
  std::vector<lane_profile> lanes_;
  scheduler_actor scheduler_;
};

preparer_actor::behavior_type
preparer(preparer_actor::stateful_pointer<preparer_state> self,
         std::vector<lane_profile> lanes, scheduler_actor scheduler);

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#include "tools/client/request_track.hpp"

#include <algorithm>

namespace sluice::client {

void request_track::accepted(instant now) {
  accepted_ = true;
  unanswered_ = false;
  asked_ = heard_ = now;
}

void request_track::heard(instant now, bool has_hole) {
  accepted_ = true;
  unanswered_ = false;
  has_hole_ = has_hole;
  heard_ = now;
  pause_ = patience_.silence;
}

auto request_track::due(instant now) -> action {
  if (!accepted_) {
    if (now - asked_ < patience_.submit)
      return action::none;
    asked_ = now;
    ++submissions_;
    return action::submit;
  }
  const auto quiet_since = std::max(heard_, asked_);
  const bool hole = has_hole_ && now - asked_ >= patience_.hole;
  const bool silent = now - quiet_since >= pause_;
  if (!hole && !silent)
    return action::none;
  if (silent)
    pause_ = std::min(pause_ * 2, patience_.silence_max);
  asked_ = now;
  if (!unanswered_)
    owed_since_ = now;
  unanswered_ = true;
  return action::replay;
}

duration request_track::owed(instant now) const {
  return unanswered_ ? now - owed_since_ : duration::zero();
}

} // namespace sluice::client

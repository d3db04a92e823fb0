// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/restarts.hpp"

namespace sluice::policy {

std::optional<instant> restart_record::lost(instant now) {
  if (back_ && now - *back_ >= rules_.quiet)
    row_ = 0;
  const bool at_once = row_ == 0;
  back_.reset();
  ++row_;
  if (row_ >= rules_.most_losses)
    return std::nullopt;
  return at_once ? instant{0} : rules_.pause;
}

bool request_losses::bear(std::uint64_t progress) {
  losses_ = progress == progress_ ? losses_ + 1 : 1;
  progress_ = progress;
  return losses_ < most;
}

} // namespace sluice::policy

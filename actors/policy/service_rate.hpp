// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>

#include "actors/policy/instant.hpp"

namespace sluice::policy {

/// How fast requests leave, and when a refused one should come again.
///
/// Refused clients are given one place in line after the other, at the pace at
/// which requests leave, so that they do not all come back at the same moment.
class service_rate {
public:
  static constexpr instant least = std::chrono::milliseconds{50};
  static constexpr instant most = std::chrono::minutes{1};

  /// A request left.
  /// @param busy  others waited for its place: the time since the one before
  ///              says how fast the lane is, not how much it is asked.
  void finished(instant now, bool busy) {
    if (busy && last_) {
      const auto gap = now - *last_;
      mean_gap_ = measured_ ? mean_gap_ + (gap - mean_gap_) / 8 : gap;
      measured_ = true;
    }
    last_ = now;
  }

  /// How long the next client that is refused should wait.
  instant retry_after(instant now) {
    const auto silence = last_ ? now - *last_ : instant{0};
    next_ = std::clamp(std::max(next_, now) + std::max(mean_gap_, silence),
                       now + least, now + most);
    return next_ - now;
  }

private:
  std::optional<instant> last_;
  instant mean_gap_ = std::chrono::seconds{1};
  bool measured_ = false;
  instant next_{0};
};

} // namespace sluice::policy

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "actors/policy/instant.hpp"

namespace sluice::policy {

/// When a device that was lost is made anew, and when that is given up.
struct restart_rules {
  /// A loss within this time of service after the last one is one more in a
  /// row: what broke the device is still there. Whatever a device does by
  /// itself (a cosmic ray, a cable) is rarer by far.
  instant quiet = std::chrono::minutes{1};
  /// In a row; the last one ends the daemon. Two more than a request may cause
  /// (see request_losses), so that the others outlive it.
  std::uint32_t most_losses = 5;
  /// Between a device that came back broken and the next try: drivers take
  /// their time to clear up.
  instant pause = std::chrono::seconds{1};
};

/// The losses of one device.
class restart_record {
public:
  explicit restart_record(restart_rules rules = {}) : rules_{rules} {}

  /// The device is lost, or could not be made anew.
  /// @return how long to wait before it is made anew; nothing: give it up.
  std::optional<instant> lost(instant now);

  /// It serves again.
  void back(instant now) { back_ = now; }

  std::uint32_t losses_in_a_row() const { return row_; }

private:
  restart_rules rules_;
  std::optional<instant> back_; // since when it serves
  std::uint32_t row_ = 0;
};

/// How often the device was lost in steps of one request. A request that breaks
/// it is run again and breaks it at the same token, for ever; one that had bad
/// luck has more tokens the next time.
class request_losses {
public:
  /// Losses without any progress in between after which a request fails.
  static constexpr std::uint32_t most = 3;

  /// The device was lost in a step that had a row of the request.
  /// @param progress  a number that grows as the request gets on.
  /// @return false: it must not run again.
  bool bear(std::uint64_t progress);

private:
  std::uint64_t progress_ = 0;
  std::uint32_t losses_ = 0;
};

} // namespace sluice::policy

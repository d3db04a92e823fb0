// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "actors/interfaces.hpp"
#include "actors/policy/restarts.hpp"
#include "actors/policy/stall.hpp"

namespace sluice::actors {

/// How a daemon's life ended.
struct end_of_life {
  int exit_code = 0;
  std::string text; // why, if the code is not 0
};

struct supervisor_config {
  std::chrono::milliseconds drain_timeout{30'000};
  std::chrono::milliseconds tick{250};
  /// There is work, and the part whose turn it is has not moved for this long:
  /// health says `failing`, and names it.
  std::chrono::milliseconds stuck_after{30'000};
  /// A lost device is made anew for this long, weights and all: from then on
  /// health says `failing`, and a watchdog is not fed.
  std::chrono::milliseconds recovery_limit{600'000};
  policy::restart_rules restarts;
  std::function<void(end_of_life)> on_end; // called once, from the actor
  std::function<void(const health_report&)>
      on_health; // each tick, may be empty
};

/// Watches the other actors, answers for the daemon's health, ends it.
///
///   running --drain--> draining --nothing left--> stopped (0)
///      |                  |---drain again, or timeout---> aborting -> stopped
///      +--an actor dies--> stopped (1)
///
/// A device that is lost is made anew in each of these levels but the last. One
/// that is lost again and again is given up: what is left fails, and the daemon
/// ends with 1.
class supervisor_state {
public:
  static constexpr const char* name = "supervisor";

  explicit supervisor_state(supervisor_actor::pointer self);

  void configure(supervisor_config config);

  void watch_lane(gateway_actor gateway, scheduler_actor scheduler,
                  batcher_actor batcher);
  void watch(caf::actor_addr who, std::string role);
  void watch_device(executor_actor executor, meter_actor meter);
  void renew();
  void drain();
  void tick();
  health_report report();
  void down(const caf::down_msg& message);

private:
  using clock_point = caf::actor_clock::time_point;
  enum class level : std::uint8_t { running, draining, aborting, stopped };

  clock_point now() const { return self_->clock().now(); }

  void begin_drain();
  void abort_rest(const char* why);
  void end(int exit_code, std::string text);
  void judge();
  policy::lane_pulse pulse() const;

  // -- the device (supervisor_device.cpp)
  void await_loss();
  void lost(const std::string& why);
  void back();
  void give_up();
  bool recovers() const { return lost_since_.has_value(); }
  void judge_recovery();

  supervisor_actor::pointer self_;
  supervisor_config config_;
  gateway_actor gateway_;
  scheduler_actor scheduler_;
  batcher_actor batcher_;
  std::map<caf::actor_addr, std::string> roles_;
  level level_ = level::running;
  clock_point born_;
  clock_point drain_began_{};
  scheduler_report scheduling_; // and when they came
  batcher_report stepping_;
  clock_point scheduler_heard_{};
  clock_point batcher_heard_{};
  health_report health_;

  executor_actor executor_;
  meter_actor meter_;
  policy::restart_record restarts_;
  std::optional<clock_point> lost_since_; // and not back
  clock_point back_at_{};                 // the last time
  std::string lost_why_;
  std::string given_up_; // why the daemon ends, if it does for the device
};

supervisor_actor::behavior_type
supervisor(supervisor_actor::stateful_pointer<supervisor_state> self,
           supervisor_config config);

} // namespace sluice::actors

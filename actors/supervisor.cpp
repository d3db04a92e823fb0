// SPDX-License-Identifier: Apache-2.0
#include "actors/supervisor.hpp"

#include "actors/guard.hpp"

namespace sluice::actors {

using messages::ErrorCode;
using messages::HealthState;

namespace {

constexpr auto report_timeout = std::chrono::seconds{2};

std::uint64_t to_ms(std::uint64_t microseconds) {
  return microseconds / 1000;
}

} // namespace

supervisor_state::supervisor_state(supervisor_actor::pointer self)
    : self_{self}, born_{self->clock().now()} {}

void supervisor_state::configure(supervisor_config config) {
  config_ = std::move(config);
  restarts_ = policy::restart_record{config_.restarts};
  self_->delayed_send(self_, config_.tick, tick_atom::value);
}

void supervisor_state::watch_lane(gateway_actor gateway,
                                  scheduler_actor scheduler,
                                  batcher_actor batcher) {
  gateway_ = std::move(gateway);
  scheduler_ = std::move(scheduler);
  batcher_ = std::move(batcher);
  scheduler_heard_ = batcher_heard_ = now();
  health_.state = HealthState::ready;
}

void supervisor_state::watch(caf::actor_addr who, std::string role) {
  self_->monitor(caf::actor_cast<caf::strong_actor_ptr>(who));
  roles_[std::move(who)] = std::move(role);
}

// -- stop levels
// ----------------------------------------------------------------

void supervisor_state::drain() {
  switch (level_) {
  case level::running:
    begin_drain();
    break;
  case level::draining:
    abort_rest("stopped at the second request");
    break;
  case level::aborting:
  case level::stopped:
    end(0, "");
    break;
  }
}

void supervisor_state::begin_drain() {
  spdlog::info("draining: no new requests; what runs may finish");
  level_ = level::draining;
  drain_began_ = now();
  health_.state = HealthState::draining;
  if (!scheduler_)
    return end(0, "");
  self_->send(gateway_, drain_atom::value);
  self_->request(scheduler_, caf::infinite, drain_atom::value)
      .then([this](bool) { end(0, ""); },
            [this](const caf::error&) { end(1, "the scheduler died"); });
}

void supervisor_state::abort_rest(const char* why) {
  spdlog::warn("ending the remaining requests: {}", why);
  level_ = level::aborting;
  drain_began_ = now();
  self_->send(scheduler_, failed_atom::value, ErrorCode::shutdown,
              std::string{why});
}

void supervisor_state::end(int exit_code, std::string text) {
  if (level_ == level::stopped)
    return;
  level_ = level::stopped;
  if (exit_code == 0 && !given_up_.empty()) {
    exit_code = 1;
    text = given_up_;
  }
  if (config_.on_end)
    config_.on_end({exit_code, std::move(text)});
}

void supervisor_state::down(const caf::down_msg& message) {
  const auto found = roles_.find(message.source);
  if (found == roles_.end() || level_ == level::stopped)
    return;
  end(1, "the " + found->second +
             " died; the service manager should restart the daemon");
}

// -- health
// ---------------------------------------------------------------------

void supervisor_state::tick() {
  if (level_ == level::draining && now() - drain_began_ > config_.drain_timeout)
    abort_rest("clients.drain_timeout has passed");
  else if (level_ == level::aborting &&
           now() - drain_began_ > config_.drain_timeout)
    end(1, "requests did not end in time");
  if (scheduler_) {
    self_->request(scheduler_, report_timeout, report_atom::value)
        .then(
            [this](const scheduler_report& r) {
              scheduling_ = r;
              scheduler_heard_ = now();
            },
            [](const caf::error&) {}); // its silence is counted
    self_->request(batcher_, report_timeout, report_atom::value)
        .then(
            [this, asked = now()](const batcher_report& r) {
              batcher_heard_ = now();
              if (asked >= back_at_) // else of plans that are void
                stepping_ = r;
            },
            [](const caf::error&) {});
    judge();
  }
  if (config_.on_health)
    config_.on_health(health_);
  if (level_ != level::stopped)
    self_->delayed_send(self_, config_.tick, tick_atom::value);
}

policy::lane_pulse supervisor_state::pulse() const {
  using std::chrono::microseconds;
  return {.waiting = scheduling_.waiting,
          .running = scheduling_.running,
          .sequences = stepping_.sequences,
          .plans = stepping_.plans,
          .oldest_plan = stepping_.oldest_plan,
          .plan_age = microseconds{stepping_.plan_age_us},
          .awaits_pages = stepping_.awaits_pages,
          .pages_age = microseconds{stepping_.pages_age_us},
          .step_age = microseconds{stepping_.last_step_age_us},
          .decision_age = microseconds{scheduling_.last_decision_age_us},
          .batcher_age = now() - batcher_heard_,
          .scheduler_age = now() - scheduler_heard_};
}

// Work that waits while nothing moves is a failure, whatever answers a ping.
void supervisor_state::judge() {
  if (recovers() || !given_up_.empty())
    return judge_recovery();
  const auto stall = policy::find_stall(pulse(), config_.stuck_after);
  if (level_ == level::running)
    health_.state = stall.empty() ? HealthState::ready : HealthState::failing;
  if (health_.text.empty() && !stall.empty())
    spdlog::error("supervisor: {}; requests do not move", stall);
  if (!health_.text.empty() && stall.empty())
    spdlog::info("supervisor: requests move again");
  health_.text = stall;
}

health_report supervisor_state::report() {
  using namespace std::chrono;
  auto result = health_;
  result.uptime_ms = static_cast<std::uint64_t>(
      duration_cast<milliseconds>(now() - born_).count());
  result.last_step_age_ms = to_ms(stepping_.last_step_age_us);
  result.last_decision_age_ms = to_ms(scheduling_.last_decision_age_us);
  result.running = scheduling_.running;
  result.waiting = scheduling_.waiting;
  return result;
}

supervisor_actor::behavior_type
supervisor(supervisor_actor::stateful_pointer<supervisor_state> self,
           supervisor_config config) {
  self->set_down_handler(
      [self](const caf::down_msg& message) { self->state.down(message); });
  self->state.configure(std::move(config));
  return {guarded_on<open_atom>(self, &supervisor_state::watch_lane),
          guarded_on<open_atom>(self, &supervisor_state::watch),
          guarded_on<open_atom>(self, &supervisor_state::watch_device),
          guarded_on<renew_atom>(self, &supervisor_state::renew),
          guarded_on<drain_atom>(self, &supervisor_state::drain),
          guarded_on<tick_atom>(self, &supervisor_state::tick),
          guarded_on<report_atom>(self, &supervisor_state::report)};
}

} // namespace sluice::actors

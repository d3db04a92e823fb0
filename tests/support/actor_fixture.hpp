// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

namespace sluice::tests {

/// A deterministic actor system: one thread, a virtual clock, messages handled
/// only when the test says so. Every actor that keep() was told of is sent away
/// at the end, so that cycles of handles do not hang the system.
class actor_fixture {
public:
  actor_fixture()
      : system{configured(config_)}, self{system, true},
        scheduler_{dynamic_cast<caf::scheduler::test_coordinator&>(
            system.scheduler())} {}

  ~actor_fixture() {
    for (auto& actor : kept_)
      caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    kept_.clear();
    run();
  }

  actor_fixture(const actor_fixture&) = delete;
  actor_fixture& operator=(const actor_fixture&) = delete;

  /// Remembers an actor for the end of the test.
  template <class Handle>
  Handle keep(Handle handle) {
    kept_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  /// Handles messages until none is left; fires no timers.
  void run() { scheduler_.run(); }

  /// Moves the virtual clock, fires what is due, handles what follows.
  void advance(std::chrono::nanoseconds by) {
    scheduler_.clock().advance_time(by);
    run();
  }

  /// The state of an actor spawned with a state class.
  template <class State, class Handle>
  State& state_of(const Handle& handle) {
    auto* abstract = caf::actor_cast<caf::abstract_actor*>(handle);
    using actor_type = caf::stateful_actor<State, typename Handle::base>;
    return dynamic_cast<actor_type&>(*abstract).state;
  }

  /// Asks an actor and handles messages until it has answered.
  template <class Answer, class Handle, class... Args>
  Answer ask(const Handle& handle, Args&&... args) {
    auto pending =
        self->request(handle, caf::infinite, std::forward<Args>(args)...);
    run();
    Answer result{};
    pending.receive([&](Answer& answer) { result = std::move(answer); },
                    [&](caf::error& error) {
                      throw std::runtime_error{system.render(error)};
                    });
    return result;
  }

private:
  static caf::actor_system_config& configured(caf::actor_system_config& c) {
    c.set("scheduler.policy", caf::atom("testing"));
    c.set("logger.inline-output", true);
    return c;
  }

  caf::actor_system_config config_;

public:
  caf::actor_system system;
  caf::scoped_actor self;

private:
  caf::scheduler::test_coordinator& scheduler_;
  std::vector<caf::actor> kept_;
};

} // namespace sluice::tests

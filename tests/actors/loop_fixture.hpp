// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <zmq.hpp>

#include "actors/socket_loop.hpp"
#include "tests/actors/recording_outbox.hpp"
#include "tests/support/temporary_directory.hpp"

namespace sluice::tests {

/// What a neighbour of the loop was sent.
struct loop_event {
  std::string kind; // "hello", "submit", …, "vanish", "topic", "drain"
  std::string from; // session, or the topic
};

/// Hands events from actors to the test's thread.
class event_queue {
public:
  void push(loop_event event);

  /// Waits for the next event; throws after a minute, when all hope is lost.
  loop_event pop();
  std::optional<loop_event> try_pop();

private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<loop_event> events_;
};

/// The configuration with what it leaves open: endpoints in `directory`, and
/// patience with a slow machine.
actors::socket_loop_config placed_in(const std::filesystem::path& directory,
                                     actors::socket_loop_config config);

/// A socket loop over ipc in a directory of its own, with neighbours that
/// report to `events`. The gateway answers Hello with Hello.
class loop_fixture {
public:
  loop_fixture() : loop_fixture(actors::socket_loop_config{}) {}
  explicit loop_fixture(actors::socket_loop_config config,
                        bool hold_credit = false);
  ~loop_fixture();
  loop_fixture(const loop_fixture&) = delete;
  loop_fixture& operator=(const loop_fixture&) = delete;

  test::temporary_directory directory;
  event_queue events;
  double dropped() const; // parts, as the meter was told

private:
  actors::gateway_actor spawn_gateway(bool hold_credit);
  actors::publisher_actor spawn_publisher();
  actors::meter_actor spawn_meter();
  actors::supervisor_actor spawn_supervisor();

  mutable std::mutex mutex_;
  double dropped_ = 0;

public:
  actors::socket_loop loop;

private:
  caf::actor_system_config system_config_;
  caf::actor_system system_;
  std::vector<caf::actor> spawned_;
};

/// A client with one DEALER or SUB socket. Waits at most a minute for answers.
class test_client {
public:
  explicit test_client(const std::string& endpoint,
                       zmq::socket_type type = zmq::socket_type::dealer);

  void send(std::span<const std::byte> part);
  void send_text(std::string_view part);
  template <class T>
  void send(const messages::frame<T>& frame) {
    send(frame.bytes());
  }

  /// All parts of the next message.
  std::vector<std::string> receive();

  /// The next message, which must be one frame.
  recorded receive_frame();

  zmq::socket_t& socket() { return socket_; }

private:
  zmq::context_t context_;
  zmq::socket_t socket_;
};

messages::frame<messages::Hello> hello_frame();

} // namespace sluice::tests

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/frame_credit.hpp"
#include "actors/interfaces.hpp"
#include "actors/outbox.hpp"
#include "messages/limits.hpp"

namespace sluice::actors {

struct socket_loop_config {
  std::string control_endpoint;         // ipc://, inproc://, tcp:// on loopback
  std::string stream_endpoint;          // likewise
  messages::frame_limits limits;        // of frames that clients send
  std::uint32_t inflight_frames = 1024; // read but not handled
  std::uint32_t outbox_messages = 65'536; // waiting to be sent
  std::size_t outbox_bytes = 256u << 20;
  std::uint32_t peer_messages = 4096; // ZeroMQ's high-water mark of a peer
  std::chrono::milliseconds heartbeat{1'000};
  std::chrono::milliseconds heartbeat_timeout{3'000};
  std::chrono::milliseconds handshake_timeout{3'000};
  std::chrono::milliseconds linger{3'000}; // for the last replies, at the end
  int signal_fd = -1;                      // a signalfd to watch; -1: none
};

/// Where the loop's messages go. Empty handles are passed over.
struct socket_loop_targets {
  gateway_actor gateway;
  publisher_actor publisher;
  meter_actor meter;
  supervisor_actor supervisor; // told of SIGTERM and SIGINT
  // The loop has failed, e.g. for want of memory, and ends. Called from it.
  std::function<void(const char* why)> on_failure;
};

/// The one thread that owns every ZeroMQ socket and the context: ROUTER for
/// control, XPUB for streams. Frames are verified here and go to the gateway
/// under a credit count; what actors put into out() is sent from here.
///
/// Order of use: construct (binds), spawn the actors, start(), request_stop()
/// and join() (the destructor does both).
class socket_loop {
public:
  /// Prepares and binds the endpoints.
  /// @throws endpoint_error with a one-line text when one cannot be served.
  explicit socket_loop(socket_loop_config config);
  ~socket_loop();
  socket_loop(const socket_loop&) = delete;
  socket_loop& operator=(const socket_loop&) = delete;

  void start(socket_loop_targets targets);

  /// Sends what is left in the outbox, then ends the thread. Safe in a signal
  /// handler and from any thread.
  void request_stop() noexcept;
  void join();

  std::shared_ptr<outbox> out() const;
  std::shared_ptr<frame_credit> credit() const;

  /// As bound: a wildcard tcp port is replaced by the real one.
  const std::string& control_endpoint() const noexcept;
  const std::string& stream_endpoint() const noexcept;

  /// The ZeroMQ context, for in-process clients of inproc:// endpoints. They
  /// must close their sockets before the loop is destroyed.
  void* native_context() noexcept;

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace sluice::actors

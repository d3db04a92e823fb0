// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace sluice::client {

/// Of the ZeroMQ library in use, e.g. "4.3.4".
std::string zeromq_version();

/// The two ZeroMQ sockets of a client: DEALER for control, SUB for streams.
/// @note one thread at a time.
class transport {
public:
  using bytes = std::span<const std::byte>;

  /// Takes the frame of one message; its topic was checked by ZeroMQ.
  using handler = std::function<void(bytes frame)>;

  /// @param endpoint  of the control socket: ipc, inproc or tcp.
  /// @param context   a ZeroMQ context to share (needed for inproc), or
  ///                  nullptr for one of its own.
  /// @throws no_daemon if the endpoint cannot be reached or is malformed.
  transport(const std::string& endpoint, void* context);
  ~transport();
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;

  /// @throws no_daemon if the endpoint is malformed.
  void connect_streams(const std::string& endpoint);

  /// @return false if the daemon takes nothing more just now.
  bool send(bytes frame);

  void subscribe(const std::string& topic);
  void unsubscribe(const std::string& topic);

  /// Waits for messages of either socket, at most @p timeout, and hands a
  /// bounded number of those that are there to @p take.
  void receive(std::chrono::milliseconds timeout, const handler& take);

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace sluice::client

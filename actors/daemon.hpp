// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "actors/reports.hpp"
#include "config/config.hpp"
#include "model/device_source.hpp"

namespace sluice::actors {

/// What the owner of a daemon may want to know while it lives.
struct daemon_hooks {
  /// Bytes of weights read; called often while loading.
  std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>
      progress;
  /// Four times a second once it serves; from a thread of the daemon.
  std::function<void(const health_report&)> health;
  /// Stands between the executor and each device that it gets; for tests that
  /// lose one.
  device_wrapper device;
  /// SIGTERM and SIGINT drain the daemon; start() must then be called before
  /// the process has other threads.
  bool handle_signals = false;
};

/// The whole daemon: binds its sockets, loads its model, spawns its actors.
/// One per process, since it owns the process's ZeroMQ context.
class daemon {
public:
  daemon(config::config configuration, daemon_hooks hooks = {});
  ~daemon(); // stops at once if it still runs
  daemon(const daemon&) = delete;
  daemon& operator=(const daemon&) = delete;

  /// Binds, loads, spawns; returns when requests are served.
  /// @throws endpoint_error, model_error, memory_error, contract_violation:
  ///         one line with the remedy.
  void start();

  /// Waits for the end: a signal, request_stop(), or the death of an actor.
  /// @return 0, or 1 after logging why.
  int wait();

  /// As SIGTERM: drains; a second call fails what still runs. Any thread.
  void request_stop();

  const std::string& control_endpoint() const;
  const std::string& stream_endpoint() const;
  std::uint32_t context_tokens() const;
  std::string isa() const;

  /// The ZeroMQ context, for a client of inproc:// endpoints in this process.
  void* native_context();

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "actors/daemon.hpp"
#include "tools/client/client.hpp"

namespace sluice::cli {

/// Which daemon a command talks to.
struct connection_flags {
  std::string endpoint; // of a daemon; empty: in this process, or the default
  std::string model;    // to host in this process
  std::string tenant;
  std::vector<std::string>
      settings;              // "memory.kv_bytes=1GiB", of our own daemon
  bool can_host = false;     // the command has --model
  std::uint32_t threads = 0; // of our own daemon; 0: one a core
  std::chrono::milliseconds timeout{5'000}; // of every question
};

/// Adds --endpoint, --tenant and --timeout.
std::shared_ptr<connection_flags> add_endpoint_flags(CLI::App& app);

/// Adds these and --model, --threads, --set for a daemon in this process.
std::shared_ptr<connection_flags> add_connection_flags(CLI::App& app);

/// The control endpoint of a daemon that was started without options.
std::string default_endpoint();

/// A client together with the daemon that it may need in this process.
class connection {
public:
  /// Talks to --endpoint; without one, loads --model and serves it inproc,
  /// with a progress bar; with neither, talks to the default endpoint.
  /// @throws client::no_daemon, config::config_error, model_error.
  explicit connection(const connection_flags& flags);

  client::client& get() noexcept { return *client_; }

  /// For more clients of the same daemon.
  const client::client_options& options() const noexcept { return options_; }

private:
  void start_daemon(const connection_flags& flags);

  client::client_options options_;
  std::unique_ptr<actors::daemon> daemon_; // outlives the client's sockets
  std::unique_ptr<client::client> client_;
};

} // namespace sluice::cli

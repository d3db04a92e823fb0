// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "actors/wake_fd.hpp"

namespace sluice::actors {

/// An endpoint cannot be served. One line that names it and the remedy.
class endpoint_error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Where sockets live unless told otherwise: $XDG_RUNTIME_DIR/sluice; for root
/// /run/sluice; else /tmp/sluice-UID. Creates nothing.
std::filesystem::path default_run_dir();

/// "ipc://DIR/NAME-PURPOSE.sock", e.g. of purpose "control" or "streams".
std::string ipc_endpoint(const std::filesystem::path& directory,
                         std::string_view name, std::string_view purpose);

/// The right to bind one endpoint, held as long as it lives. For ipc:// it
/// creates the folder (mode 0700), takes a lock on "<socket>.lock" beside the
/// socket and makes sure that nothing but a socket is replaced; inproc:// and
/// tcp:// on loopback need no more than a check of their form.
class endpoint_claim {
public:
  /// @param endpoint  ipc://PATH of at most 107 characters, inproc://NAME, or
  ///                  tcp://127.0.0.1:PORT, tcp://localhost:…, tcp://[::1]:….
  /// @throws endpoint_error if it may not or cannot be served.
  explicit endpoint_claim(std::string endpoint);

  const std::string& endpoint() const noexcept { return endpoint_; }

private:
  std::string endpoint_;
  unique_fd lock_; // ipc only
};

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tools/bench/serve/metrics.hpp"
#include "tools/bench/serve/workload.hpp"
#include "tools/client/client.hpp"

namespace sluice::bench {

struct generator_options {
  std::uint32_t connections = 1; // each a client with its own sockets
  std::uint32_t concurrency = 0; // requests at a time, over all connections;
                                 // 0: as they arrive. At least `connections`
};

/// Sends requests to a daemon when they are due, and watches their streams.
class load_generator {
public:
  /// Connects.
  /// @throws client::client_error; contract_violation for a concurrency that
  ///         is not the same for each connection.
  load_generator(const client::client_options& where,
                 const generator_options& options);

  struct result {
    std::vector<request_record> records; // in the order of the requests
    double duration = 0;                 // seconds
  };

  /// Runs all of them to their ends. A request that fails is recorded.
  /// @param ended  called now and then with how many have ended.
  /// @throws client::client_error if the daemon leaves.
  result run(const std::vector<planned_request>& requests,
             const std::function<void(std::size_t)>& ended);

private:
  std::vector<std::unique_ptr<client::client>> clients_;
  std::uint32_t per_connection_; // requests at a time; 0: any number
};

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "actors/policy/instant.hpp"

namespace sluice::simulate {

using policy::instant;

/// A request as the simulation sees it.
struct arrival {
  instant when{0};
  std::uint32_t prompt_tokens = 0;
  std::uint32_t output_tokens = 0; // that it will generate
  std::string tenant;
  std::int32_t priority = 0;
  std::uint32_t prefix_tokens = 0; // of the prompt, shared within the group
  std::uint32_t prefix_group = 0;
};

/// Requests in order of their times, one a call; nothing after the last.
using arrivals = std::function<std::optional<arrival>()>;

/// How lengths are drawn: log-normal around the mean, as traces of chats are.
struct length_range {
  std::uint32_t mean = 256;
  double spread = 0; // standard deviation over the mean; 0: all alike
  std::uint32_t most = 1u << 20;
};

/// What random requests look like.
struct load {
  std::uint64_t requests = 1000;
  double rate = 1; // a second, on average
  // 0: Poisson. Else requests come in bursts of this many times the rate,
  // with silence between.
  double burst = 0;
  instant burst_length = std::chrono::seconds{5};
  length_range prompt;
  length_range output;
  std::uint32_t tenants = 1; // requests are spread over them evenly
  std::uint32_t prefix_tokens = 0;
  std::uint32_t prefix_groups = 1;
  std::uint64_t seed = 0;
};

/// Random requests: the same for the same load, on every machine.
arrivals random_arrivals(const load& wanted);

/// Given requests, sorted by their times.
arrivals recorded_arrivals(std::vector<arrival> requests);

/// The requests of a trace, as `sluice bench serve --trace` reads it, with the
/// tenants and shared heads of @p wanted.
/// @throws bench::trace_error naming file and line.
arrivals trace_arrivals(const std::string& path, const load& wanted);

} // namespace sluice::simulate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "tools/bench/serve/arrivals.hpp"
#include "tools/bench/serve/trace.hpp"

namespace sluice::bench {

/// Requests of one size with random prompts.
struct random_workload {
  std::uint32_t requests = 100;
  std::uint32_t prefix_tokens = 0; // the same for all, before the input
  std::uint32_t input_tokens = 128;
  std::uint32_t output_tokens = 128;
  arrival_process arrivals; // its seed is of the prompts, too
};

/// A request that is going to be sent.
struct planned_request {
  double at = 0; // seconds after the start
  std::vector<std::uint32_t> prompt;
  std::uint32_t output_tokens = 0;
};

/// @param vocabulary  of the model; the ids are such that no model's special
///                    tokens are among them, if it is large.
std::vector<planned_request> make_workload(const random_workload& what,
                                           std::uint32_t vocabulary);

/// The requests of a trace, with random prompts where it has none.
/// @throws trace_error for an id that the vocabulary lacks.
std::vector<planned_request>
make_workload(const std::vector<trace_entry>& trace, std::uint32_t vocabulary,
              std::uint64_t seed);

} // namespace sluice::bench

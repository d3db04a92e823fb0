// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/bench/measure.hpp"
#include "tools/client/client.hpp"

namespace sluice::bench {

/// Keeps `batch` sequences decoding in a daemon and compares, from the
/// daemon's own metrics, the time between two results with the time that the
/// executor needed. Prompts and joining are not part of it.
/// @throws client::client_error, std::runtime_error if a request fails.
step_overhead measure_overhead(client::client& client, const plan& what,
                               std::uint32_t batch);

} // namespace sluice::bench

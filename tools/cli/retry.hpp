// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>

#include "tools/client/events.hpp"

namespace sluice::cli {

/// How long to wait before the same request is sent again; nothing if it would
/// fail again, or has been lost too often.
/// @param tries  how often it was sent.
std::optional<std::chrono::milliseconds>
pause_before_retry(const client::failure& failure, unsigned tries);

} // namespace sluice::cli

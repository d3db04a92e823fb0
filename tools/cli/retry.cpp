// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/retry.hpp"

#include <algorithm>

namespace sluice::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds shortest_pause{500};
constexpr unsigned most_tries = 10; // when the daemon lost the request

enum class outlook { final, full, lost };

/// Whether the same request may well succeed a little later.
outlook outlook_of(messages::ErrorCode code) {
  using enum messages::ErrorCode;
  switch (code) {
  case queue_full:
  case too_many_requests:
    return outlook::full;
  case draining:
  case shutdown:
  case unknown_request:
    return outlook::lost;
  default:
    return outlook::final;
  }
}

} // namespace

std::optional<milliseconds> pause_before_retry(const client::failure& failure,
                                               unsigned tries) {
  const auto hope = outlook_of(failure.code);
  if (hope == outlook::full || (hope == outlook::lost && tries < most_tries))
    return std::max(failure.retry_after, shortest_pause);
  return std::nullopt;
}

} // namespace sluice::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "actors/policy/instant.hpp"

namespace sluice::simulate {

using policy::instant;

/// Times by size, in buckets a hundredth wide: billions fit, the mean is exact
/// and a percentile within 1 %.
class time_histogram {
public:
  void add(instant time);

  std::uint64_t count() const noexcept { return count_; }
  double mean_seconds() const;

  /// Linear between the two nearest ranks, as `sluice bench serve` has it; 0 of
  /// none.
  double percentile_seconds(double percent) const;

private:
  double seconds_at(std::uint64_t rank) const;

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ = 0; // seconds
};

/// What requests must keep to count as good.
struct service_goal {
  instant first_token = std::chrono::seconds{2};
  instant between_tokens = std::chrono::milliseconds{200}; // mean of a request
};

/// What a simulation counts.
struct tally {
  service_goal goal;
  std::uint64_t offered = 0;
  std::uint64_t refused = 0;
  std::uint64_t finished = 0;
  std::uint64_t good = 0;          // finished and within the goal
  std::uint64_t prompt_tokens = 0; // of finished requests
  std::uint64_t cached_tokens = 0; // of them, those a cache had
  std::uint64_t output_tokens = 0; // generated and kept
  std::uint64_t computed_rows = 0; // positions that steps computed
  std::uint64_t preemptions = 0;
  std::uint64_t steps = 0;
  instant busy{0}; // of all lanes together
  instant end{0};  // of the last step
  time_histogram first_token;
  time_histogram between_tokens;
  time_histogram whole; // arrival to end

  /// A request is done.
  /// @param first  from arrival to its first token.
  /// @param last   from arrival to its last.
  void finish(instant first, instant last, std::uint32_t tokens);
};

} // namespace sluice::simulate

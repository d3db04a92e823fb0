// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/control_generated.h"

namespace sluice::actors {

/// How a metric combines its samples.
enum class metric_kind : std::uint8_t { counter, gauge, histogram };

/// One increment, value or observation; `name` is a string literal from
/// actors/metric_names.hpp, `labels` as in the Prometheus text format.
struct metric_sample {
  const char* name = nullptr;
  metric_kind kind = metric_kind::counter;
  double value = 0;
  std::string labels;
};

/// Samples travel in batches: one message a step, not one a token.
struct metric_batch {
  std::vector<metric_sample> samples;
};

struct metric_value {
  std::string name;
  std::string labels;
  double value = 0;
};

struct metric_snapshot {
  std::vector<metric_value> values; // sorted by name, then labels
};

struct publisher_report {
  std::uint64_t open_streams = 0;
  std::uint64_t held_windows = 0; // ended, but still replayable
  std::uint64_t window_bytes = 0;
};

struct scheduler_report {
  std::uint32_t waiting = 0;
  std::uint32_t running = 0;
  std::uint64_t last_decision_age_us = 0;
};

/// The ledger of a lane, in pages; the states sum to the pool.
struct ledger_report {
  std::uint32_t pool = 0;
  std::uint32_t free = 0;
  std::uint32_t active = 0;
  std::uint32_t in_flight = 0;
  std::uint32_t cached = 0;
  std::uint32_t pinned = 0;
  std::uint32_t swapped = 0; // in host memory, beside the pool
};

/// What a step gave and the pool has, for the scheduler's accounts.
struct lane_news {
  struct progress {
    std::uint64_t request = 0;
    std::uint32_t tokens = 0; // generated in the step, by all its sequences
  };

  std::uint32_t lane = 0;
  std::uint32_t free_pages = 0;
  std::uint32_t evictable_pages = 0; // cached, wanted by nobody
  std::uint32_t outside = 0;         // sequences that gave way and are not back
  std::vector<progress> generated;
};

struct batcher_report {
  std::uint32_t sequences = 0;
  std::uint64_t steps = 0;
  std::uint64_t last_step_age_us = 0;
  std::uint32_t plans = 0; // on their way to the executor
  std::uint64_t oldest_plan = 0;
  std::uint64_t plan_age_us = 0; // since the executor could begin it
  bool awaits_pages = false;
  std::uint64_t pages_age_us = 0; // since pages were asked for
};

struct health_report {
  messages::HealthState state = messages::HealthState::starting;
  std::uint64_t uptime_ms = 0;
  std::uint64_t last_step_age_ms = 0;
  std::uint64_t last_decision_age_ms = 0;
  std::uint32_t running = 0;
  std::uint32_t waiting = 0;
  std::string text;
};

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "actors/interfaces.hpp"

namespace sluice::actors {

/// Counters, gauges and histograms by name and labels. Plain class.
class metric_registry {
public:
  void record(const metric_sample& sample);
  metric_snapshot snapshot() const;

private:
  using series = std::pair<std::string, std::string>; // name, labels

  struct histogram {
    double sum = 0;
    std::uint64_t count = 0;
    std::vector<std::uint64_t> buckets; // cumulative only in snapshots
  };

  void observe(const metric_sample& sample);

  std::map<series, double> values_;
  std::map<series, histogram> histograms_;
};

class meter_state {
public:
  static constexpr const char* name = "meter";

  explicit meter_state(meter_actor::pointer self);

  void record(metric_batch batch);
  metric_snapshot report();

private:
  metric_registry registry_;
};

meter_actor::behavior_type
meter(meter_actor::stateful_pointer<meter_state> self);

} // namespace sluice::actors

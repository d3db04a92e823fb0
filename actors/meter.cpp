// SPDX-License-Identifier: Apache-2.0
#include "actors/meter.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "actors/guard.hpp"

namespace sluice::actors {
namespace {

// Upper bounds in the series' unit; wide enough for seconds and for counts.
constexpr std::array bounds{5e-6,   1e-5, 2e-5, 3e-5, 4e-5,   6e-5, 8e-5,
                            1e-4,   2e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2,
                            2.5e-2, 5e-2, 0.1,  0.25, 0.5,    1.0,  2.5,
                            5.0,    10.0, 20.0, 40.0, 80.0,   160., 640.};

std::string with_bound(const std::string& labels, const std::string& bound) {
  const auto le = "le=\"" + bound + "\"";
  return labels.empty() ? le : labels + "," + le;
}

} // namespace

void metric_registry::record(const metric_sample& sample) {
  auto key = series{sample.name, sample.labels};
  switch (sample.kind) {
  case metric_kind::counter:
    values_[std::move(key)] += sample.value;
    break;
  case metric_kind::gauge:
    values_[std::move(key)] = sample.value;
    break;
  case metric_kind::histogram:
    observe(sample);
    break;
  }
}

void metric_registry::observe(const metric_sample& sample) {
  auto& h = histograms_[{sample.name, sample.labels}];
  h.buckets.resize(bounds.size());
  h.sum += sample.value;
  ++h.count;
  const auto at = std::lower_bound(bounds.begin(), bounds.end(), sample.value);
  if (at != bounds.end())
    ++h.buckets[static_cast<std::size_t>(at - bounds.begin())];
}

metric_snapshot metric_registry::snapshot() const {
  metric_snapshot result;
  for (const auto& [key, value] : values_)
    result.values.push_back({key.first, key.second, value});
  for (const auto& [key, h] : histograms_) {
    const auto& [name, labels] = key;
    double below = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      below += static_cast<double>(h.buckets[i]);
      result.values.push_back({name + "_bucket",
                               with_bound(labels, fmt::format("{}", bounds[i])),
                               below});
    }
    const auto count = static_cast<double>(h.count);
    result.values.push_back(
        {name + "_bucket", with_bound(labels, "+Inf"), count});
    result.values.push_back({name + "_count", labels, count});
    result.values.push_back({name + "_sum", labels, h.sum});
  }
  return result;
}

meter_state::meter_state(meter_actor::pointer) {}

void meter_state::record(metric_batch batch) {
  for (const auto& sample : batch.samples)
    registry_.record(sample);
}

metric_snapshot meter_state::report() {
  return registry_.snapshot();
}

meter_actor::behavior_type
meter(meter_actor::stateful_pointer<meter_state> self) {
  return {guarded(self, &meter_state::record),
          guarded_on<report_atom>(self, &meter_state::report)};
}

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/bench/serve/metrics.hpp"

namespace sluice::bench {

/// What was asked for, as far as a report says it.
struct serve_settings {
  std::uint32_t max_concurrency = 0;  // 0: not limited
  std::optional<double> request_rate; // per second; none: all at once
};

/// The text that `vllm bench serve` prints.
std::string serve_text(const serve_metrics& metrics,
                       const serve_settings& settings);

/// The keys that `vllm bench serve --save-result --save-detailed` writes.
nlohmann::ordered_json serve_json(const serve_metrics& metrics,
                                  const std::vector<request_record>& records);

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/series.hpp"

#include <charconv>

namespace sluice::cli {

double series(const messages::StatsT& stats, std::string_view name) {
  double sum = 0;
  for (const auto& metric : stats.metrics)
    if (metric->name == name)
      sum += metric->value;
  return sum;
}

std::string to_text(const messages::StatsT& stats) {
  std::string text;
  for (const auto& metric : stats.metrics) {
    char number[64];
    const auto end =
        std::to_chars(number, number + sizeof number, metric->value).ptr;
    text += metric->name;
    if (!metric->labels.empty())
      text += "{" + metric->labels + "}";
    text += " " + std::string{number, end} + "\n";
  }
  return text;
}

activity between(const messages::StatsT& before, const messages::StatsT& after,
                 double seconds) {
  const auto grown = [&](std::string_view name) {
    return series(after, name) - series(before, name);
  };
  const auto mean = [&](const std::string& histogram) {
    const auto count = grown(histogram + "_count");
    return count > 0 ? grown(histogram + "_sum") / count : 0;
  };
  return {grown("sluice_generated_tokens_total") / seconds,
          grown("sluice_prompt_tokens_total") / seconds,
          grown("sluice_step_compute_seconds_count") / seconds,
          mean("sluice_step_seconds"),
          mean("sluice_step_compute_seconds"),
          mean("sluice_step_rows")};
}

} // namespace sluice::cli

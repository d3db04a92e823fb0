// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/report.hpp"

#include <cstdio>

namespace sluice::simulate {
namespace {

using json = nlohmann::ordered_json;
using seconds = std::chrono::duration<double>;

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

void add_times(json& out, const std::string& name, const time_histogram& of) {
  constexpr double ms = 1e3;
  out["mean_" + name + "_ms"] = of.mean_seconds() * ms;
  out["median_" + name + "_ms"] = of.percentile_seconds(50) * ms;
  out["p99_" + name + "_ms"] = of.percentile_seconds(99) * ms;
}

json costs_json(const policy::cost_coefficients& c) {
  return {{"step", c.step},           {"row", c.row},
          {"more_rows", c.more_rows}, {"sample", c.sample},
          {"kv_read", c.kv_read},     {"kv_score", c.kv_score}};
}

} // namespace

json as_json(const simulation_settings& settings, const tally& counts,
             seconds took) {
  const auto duration = seconds{counts.end}.count();
  const auto each = [](auto count) { return static_cast<double>(count); };
  json out{
      {"lanes", settings.lanes},
      {"requests", counts.offered},
      {"completed", counts.finished},
      {"refused", counts.refused},
      {"duration", duration},
      {"request_throughput", ratio(each(counts.finished), duration)},
      {"request_goodput", ratio(each(counts.good), duration)},
      {"good_part", ratio(each(counts.good), each(counts.offered))},
      {"output_throughput", ratio(each(counts.output_tokens), duration)},
      {"total_token_throughput",
       ratio(each(counts.prompt_tokens + counts.output_tokens), duration)}};
  add_times(out, "ttft", counts.first_token);
  add_times(out, "itl", counts.between_tokens);
  add_times(out, "e2el", counts.whole);
  out["preemptions"] = counts.preemptions;
  out["computed_rows"] = counts.computed_rows;
  out["cache_hit_rate"] =
      ratio(each(counts.cached_tokens), each(counts.prompt_tokens));
  out["steps"] = counts.steps;
  out["rows_per_step"] = ratio(each(counts.computed_rows), each(counts.steps));
  out["busy_part"] =
      ratio(seconds{counts.busy}.count(), duration * settings.lanes);
  out["costs"] = costs_json(settings.lane.machine);
  out["wall_seconds"] = took.count();
  out["simulated_requests_per_second"] =
      ratio(each(counts.offered), took.count());
  return out;
}

std::string as_text(const json& report) {
  std::string text;
  for (const auto& [key, value] : report.items()) {
    if (!value.is_number())
      continue;
    char line[96];
    if (value.is_number_float())
      std::snprintf(line, sizeof line, "%-30s %14.3f\n", key.c_str(),
                    value.get<double>());
    else
      std::snprintf(line, sizeof line, "%-30s %14llu\n", key.c_str(),
                    value.get<unsigned long long>());
    text += line;
  }
  return text;
}

} // namespace sluice::simulate

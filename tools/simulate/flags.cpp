// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/flags.hpp"

#include <fstream>
#include <stdexcept>

#include "tools/simulate/bench_costs.hpp"

namespace sluice::simulate {
namespace {

instant from_seconds(double time) {
  return std::chrono::duration_cast<instant>(
      std::chrono::duration<double>{time});
}

void add_load(CLI::App& app, flags& to) {
  auto& load = to.wanted;
  app.add_option("--requests", load.requests,
                 "How many come; default 1000, or all of the trace");
  app.add_option("--request-rate", load.rate, "Requests a second, on average")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--burst", load.burst,
                 "They come in bursts of so many times the rate; 0: Poisson");
  app.add_option("--burst-seconds", to.burst_seconds, "Length of a burst")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--trace", to.trace,
                 "Arrivals and lengths from a file, as `sluice bench serve` "
                 "reads it, instead of random ones");
  app.add_option("--input-len", load.prompt.mean,
                 "Tokens of a prompt, on average")
      ->capture_default_str();
  app.add_option("--input-spread", load.prompt.spread,
                 "Their standard deviation over the mean (log-normal)");
  app.add_option("--output-len", load.output.mean,
                 "Tokens generated, on average")
      ->capture_default_str();
  app.add_option("--output-spread", load.output.spread,
                 "Their standard deviation over the mean (log-normal)");
  app.add_option("--tenants", load.tenants, "Tenants that take turns")
      ->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--prefix-len", load.prefix_tokens,
                 "Tokens at the head of a prompt that its group shares");
  app.add_option("--prefix-groups", load.prefix_groups, "Groups with a head")
      ->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--seed", load.seed, "Of the random requests");
}

void add_lane(CLI::App& app, flags& to) {
  auto& capacity = to.settings.lane.capacity;
  auto& limits = to.settings.lane.limits;
  app.add_option("--lanes", to.settings.lanes, "Lanes, all alike")
      ->check(CLI::Range(1u, 100'000u));
  app.add_option("--context", capacity.context_tokens, "Context of the model")
      ->capture_default_str();
  app.add_option("--kv-pages", capacity.pool_pages, "KV pages of a lane")
      ->capture_default_str();
  app.add_option("--page-tokens", capacity.page_tokens, "Positions in a page")
      ->check(CLI::Range(1u, 4096u))
      ->capture_default_str();
  app.add_option("--max-sequences", capacity.max_sequences,
                 "Sequences that run at once, of a lane")
      ->capture_default_str();
  app.add_option("--queue", capacity.max_waiting, "Requests that may wait")
      ->capture_default_str();
  app.add_option("--reserve", to.reserve, "scheduling.reserve")
      ->check(CLI::IsMember({"full", "prompt"}))
      ->capture_default_str();
  app.add_option("--step-tokens", limits.step_tokens, "scheduling.step_tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--pipeline-depth", limits.pipeline_depth,
                 "scheduling.pipeline_depth")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--itl-target-ms", to.itl_target_ms, "scheduling.itl_target");
  app.add_option("--decode-share", to.decode_share_percent,
                 "scheduling.decode_share, in percent")
      ->check(CLI::Range(1.0, 99.0))
      ->capture_default_str();
  app.add_flag("--cache", to.settings.lane.prefix_cache,
               "Heads that a group shares are computed once a lane");
}

void add_costs(CLI::App& app, flags& to) {
  auto& cost = to.settings.lane.machine;
  app.add_option("--bench", to.bench,
                 "Outputs of `sluice bench batch --json` to take costs from: "
                 "of short and of long prompts");
  app.add_option("--cost-step", cost.step, "Seconds of every step")
      ->capture_default_str();
  app.add_option("--cost-row", cost.row, "Seconds of a matmul row")
      ->capture_default_str();
  app.add_option("--cost-more-rows", cost.more_rows,
                 "Seconds more of each row past 32");
  app.add_option("--cost-sample", cost.sample, "Seconds of a sampled row")
      ->capture_default_str();
  app.add_option("--cost-kv-read", cost.kv_read,
                 "Seconds of a position that attention fetches")
      ->capture_default_str();
  app.add_option("--cost-kv-score", cost.kv_score,
                 "Seconds of a pair of query and key")
      ->capture_default_str();
  app.add_option("--overhead-us", to.overhead_us,
                 "Microseconds between two steps")
      ->capture_default_str();
}

std::vector<nlohmann::json> reports_of(const std::vector<std::string>& paths) {
  std::vector<nlohmann::json> reports;
  for (const auto& path : paths) {
    std::ifstream file{path};
    if (!file)
      throw std::runtime_error{path + ": cannot be read"};
    reports.push_back(nlohmann::json::parse(file, nullptr, false));
  }
  return reports;
}

} // namespace

void add_flags(CLI::App& app, flags& to) {
  auto& capacity = to.settings.lane.capacity;
  capacity.context_tokens = 8192;
  capacity.pool_pages = 8192;
  add_load(app, to);
  add_lane(app, to);
  add_costs(app, to);
  app.add_option("--goal-ttft-ms", to.goal_ttft_ms,
                 "Time to the first token of a good request")
      ->capture_default_str();
  app.add_option("--goal-itl-ms", to.goal_itl_ms,
                 "Mean time between tokens of a good request")
      ->capture_default_str();
  app.add_flag("--json", to.as_json, "Print one JSON object");
}

std::uint64_t requests_of(const flags& from) {
  const auto asked = from.wanted.requests;
  return asked > 0 || !from.trace.empty() ? asked : 1000;
}

simulation_settings settings_of(const flags& from) {
  auto settings = from.settings;
  auto& lane = settings.lane;
  lane.limits.context_tokens = lane.capacity.context_tokens;
  lane.limits.itl_target = from_seconds(from.itl_target_ms / 1e3);
  lane.limits.decode_share = from.decode_share_percent / 100;
  lane.capacity.reserve = from.reserve == "prompt"
                              ? policy::reserve_rule::prompt
                              : policy::reserve_rule::full;
  lane.overhead = from_seconds(from.overhead_us / 1e6);
  settings.goal = {from_seconds(from.goal_ttft_ms / 1e3),
                   from_seconds(from.goal_itl_ms / 1e3)};
  if (!from.bench.empty())
    lane.machine = fit_bench(reports_of(from.bench));
  lane.limits.costs = lane.machine; // as a lane that has run for a while
  return settings;
}

arrivals arrivals_of(const flags& from) {
  if (!from.trace.empty())
    return trace_arrivals(from.trace, from.wanted);
  auto wanted = from.wanted;
  wanted.requests = requests_of(from);
  wanted.burst_length = from_seconds(from.burst_seconds);
  return random_arrivals(wanted);
}

} // namespace sluice::simulate

// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/daemon_bench.hpp"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "tools/cli/series.hpp"

namespace sluice::bench {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint32_t prompt_tokens = 16;

/// Longer than is measured: nobody shall leave while the others are timed.
messages::SubmitT long_request(std::uint32_t index, std::uint32_t steps) {
  constexpr std::uint32_t reserve = 64;
  messages::SubmitT request;
  for (std::uint32_t i = 0; i < prompt_tokens; ++i)
    request.prompt_tokens.push_back((index * 31 + i * 7 + 5) % 200);
  request.sampling = std::make_unique<messages::SamplingT>();
  request.sampling->seed = index;
  request.stopping = std::make_unique<messages::StopRulesT>();
  request.stopping->ignore_eos = true;
  request.stopping->max_tokens = steps + reserve;
  return request;
}

/// Some requests that decode together.
class crowd {
public:
  crowd(client::client& client, std::uint32_t size, std::uint32_t steps)
      : client_{client} {
    for (std::uint32_t i = 0; i < size; ++i)
      tokens_.emplace(client_.submit(long_request(i, steps)), 0);
  }

  /// Takes what came; true once every request has so many tokens.
  bool reached(std::size_t tokens) {
    for (const auto& event : client_.poll(milliseconds{5}))
      take(event);
    for (const auto& [id, count] : tokens_)
      if (count < tokens)
        return false;
    return true;
  }

  bool any_ended() const noexcept { return ended_; }

  void disperse() {
    for (const auto& [id, count] : tokens_)
      client_.cancel(id);
    while (client_.open() > 0)
      client_.poll(milliseconds{100});
  }

private:
  void take(const client::event& event) {
    if (const auto* failure = std::get_if<client::failure>(&event.what))
      throw std::runtime_error{"a request failed: " + failure->text};
    if (std::holds_alternative<client::finished>(event.what))
      ended_ = true;
    if (const auto* chunk = std::get_if<client::chunk_frame>(&event.what))
      if (const auto* delta = (*chunk)->body_as_Delta(); delta)
        tokens_[event.id] += delta->tokens() ? delta->tokens()->size() : 0;
  }

  client::client& client_;
  std::unordered_map<messages::request_id, std::size_t> tokens_;
  bool ended_ = false;
};

double mean_between(const messages::StatsT& before,
                    const messages::StatsT& after, const std::string& name) {
  const auto grown = [&](const std::string& part) {
    return cli::series(after, name + part) - cli::series(before, name + part);
  };
  const auto count = grown("_count");
  return count > 0 ? grown("_sum") / count : 0;
}

/// How a histogram's buckets have grown: count at most so large, by bound.
std::map<double, double> buckets_between(const messages::StatsT& before,
                                         const messages::StatsT& after,
                                         const std::string& name) {
  std::map<double, double> grown;
  const auto add = [&](const messages::StatsT& stats, double sign) {
    for (const auto& metric : stats.metrics)
      if (metric->name == name + "_bucket")
        grown[std::strtod(metric->labels.c_str() + sizeof "le=", nullptr)] +=
            sign * metric->value;
  };
  add(after, 1);
  add(before, -1);
  return grown;
}

/// The median, as exactly as the bounds of the buckets allow.
double median_between(const messages::StatsT& before,
                      const messages::StatsT& after, const std::string& name) {
  const auto grown = buckets_between(before, after, name);
  if (grown.empty())
    return 0;
  const auto half = grown.rbegin()->second / 2;
  double lower = 0;
  double below = 0;
  for (const auto& [bound, count] : grown) {
    if (count >= half && count > below)
      return std::isinf(bound)
                 ? lower
                 : lower + (bound - lower) * (half - below) / (count - below);
    lower = bound;
    below = count;
  }
  return lower;
}

step_overhead overhead_between(const messages::StatsT& before,
                               const messages::StatsT& after,
                               std::uint32_t batch) {
  const auto recent = cli::between(before, after, 1);
  const auto microseconds = [](double seconds) { return seconds * 1e6; };
  const auto mean = [&](const char* histogram) {
    return microseconds(mean_between(before, after, histogram));
  };
  return {batch,
          static_cast<std::uint64_t>(recent.steps_per_second),
          microseconds(recent.step_seconds),
          microseconds(recent.compute_seconds),
          microseconds(recent.step_seconds - recent.compute_seconds),
          mean("sluice_step_kernel_seconds"),
          mean("sluice_step_sampling_seconds"),
          mean("sluice_step_idle_seconds"),
          microseconds(
              median_between(before, after, "sluice_step_overhead_seconds"))};
}

} // namespace

step_overhead measure_overhead(client::client& client, const plan& what,
                               std::uint32_t batch) {
  constexpr std::size_t settled = 4; // tokens after which all have joined
  crowd requests{client, batch, what.steps};
  while (!requests.reached(settled) && !requests.any_ended()) {
  }
  const auto before = client.stats();
  const auto until = clock::now() + std::chrono::duration<double>{what.seconds};
  while (clock::now() < until && !requests.any_ended() &&
         !requests.reached(settled + what.steps)) {
  }
  const auto after = client.stats();
  requests.disperse();
  return overhead_between(before, after, batch);
}

} // namespace sluice::bench

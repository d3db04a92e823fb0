// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/arrivals.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>

#include "tools/bench/serve/trace.hpp"

namespace sluice::simulate {
namespace {

using seconds = std::chrono::duration<double>;

/// The standard's distributions differ between libraries; these do not.
class random_numbers {
public:
  explicit random_numbers(std::uint64_t seed) : bits_{seed} {}

  double uniform() {
    return (static_cast<double>(bits_() >> 11) + 0.5) * 0x1p-53;
  }
  double exponential() { return -std::log(uniform()); }
  double normal() {
    return std::sqrt(2 * exponential()) * std::cos(2 * M_PI * uniform());
  }

  std::uint32_t length(const length_range& range) {
    const auto variance = std::log1p(range.spread * range.spread);
    const auto factor = std::exp(std::sqrt(variance) * normal() - variance / 2);
    const auto drawn = std::round(range.mean * factor);
    return static_cast<std::uint32_t>(
        std::clamp(drawn, 1.0, static_cast<double>(range.most)));
  }

private:
  std::mt19937_64 bits_;
};

/// Turns time in which requests may come into time on the clock: bursts of
/// `length` with silences between, so that the mean rate stays.
instant on_the_clock(seconds active, const load& wanted) {
  if (wanted.burst <= 1)
    return std::chrono::duration_cast<instant>(active);
  const auto length = seconds{wanted.burst_length};
  const auto bursts = std::floor(active / length);
  const auto silence = length * (wanted.burst - 1);
  return std::chrono::duration_cast<instant>(active + bursts * silence);
}

/// Who asks, and what the prompt shares with others.
void place_in_groups(arrival& a, std::uint64_t number, const load& wanted,
                     random_numbers& numbers) {
  a.tenant = "t" + std::to_string(number % wanted.tenants);
  a.prefix_tokens = std::min(wanted.prefix_tokens, a.prompt_tokens - 1);
  a.prefix_group = static_cast<std::uint32_t>(
      numbers.uniform() * static_cast<double>(wanted.prefix_groups));
}

} // namespace

arrivals random_arrivals(const load& wanted) {
  const auto numbers = std::make_shared<random_numbers>(wanted.seed);
  return [=, made = std::uint64_t{0},
          active = seconds{0}]() mutable -> std::optional<arrival> {
    if (made == wanted.requests)
      return std::nullopt;
    const auto pace = wanted.rate * std::max(1.0, wanted.burst);
    active += seconds{numbers->exponential() / pace};
    arrival a{.when = on_the_clock(active, wanted)};
    a.prompt_tokens = numbers->length(wanted.prompt);
    a.output_tokens = numbers->length(wanted.output);
    place_in_groups(a, made, wanted, *numbers);
    ++made;
    return a;
  };
}

arrivals recorded_arrivals(std::vector<arrival> requests) {
  std::stable_sort(
      requests.begin(), requests.end(),
      [](const auto& a, const auto& b) { return a.when < b.when; });
  return [requests = std::move(requests),
          next = std::size_t{0}]() mutable -> std::optional<arrival> {
    if (next == requests.size())
      return std::nullopt;
    return requests[next++];
  };
}

arrivals trace_arrivals(const std::string& path, const load& wanted) {
  random_numbers numbers{wanted.seed};
  std::vector<arrival> requests;
  for (const auto& entry : bench::read_trace(path, wanted.requests)) {
    auto& a = requests.emplace_back();
    a.when = std::chrono::duration_cast<instant>(seconds{entry.at});
    a.prompt_tokens = entry.input_tokens;
    a.output_tokens = entry.output_tokens;
    place_in_groups(a, requests.size() - 1, wanted, numbers);
  }
  return recorded_arrivals(std::move(requests));
}

} // namespace sluice::simulate

// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/arrivals.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>

#include <nlohmann/json.hpp>

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

arrival parse(const nlohmann::json& row) {
  arrival a;
  a.when =
      std::chrono::duration_cast<instant>(seconds{row.at("t").get<double>()});
  a.prompt_tokens = row.at("prompt").get<std::uint32_t>();
  a.output_tokens = row.at("output").get<std::uint32_t>();
  a.tenant = row.value("tenant", std::string{});
  a.priority = row.value("priority", 0);
  a.prefix_tokens = row.value("prefix", 0u);
  a.prefix_group = row.value("group", 0u);
  if (a.prompt_tokens == 0 || a.output_tokens == 0)
    throw std::runtime_error{"prompt and output are at least 1"};
  return a;
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
    a.tenant = "t" + std::to_string(made % wanted.tenants);
    a.prefix_tokens = std::min(wanted.prefix_tokens, a.prompt_tokens - 1);
    a.prefix_group = static_cast<std::uint32_t>(
        numbers->uniform() * static_cast<double>(wanted.prefix_groups));
    ++made;
    return a;
  };
}

arrivals recorded_arrivals(std::vector<arrival> trace) {
  std::stable_sort(
      trace.begin(), trace.end(),
      [](const auto& a, const auto& b) { return a.when < b.when; });
  return [trace = std::move(trace),
          next = std::size_t{0}]() mutable -> std::optional<arrival> {
    if (next == trace.size())
      return std::nullopt;
    return trace[next++];
  };
}

std::vector<arrival> read_trace(const std::filesystem::path& path) {
  std::ifstream file{path};
  if (!file)
    throw std::runtime_error{path.string() + ": cannot be read"};
  std::vector<arrival> trace;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty())
      continue;
    try {
      trace.push_back(parse(nlohmann::json::parse(line)));
    } catch (const std::exception& error) {
      throw std::runtime_error{path.string() + ":" + std::to_string(number) +
                               ": " + error.what()};
    }
  }
  return trace;
}

} // namespace sluice::simulate

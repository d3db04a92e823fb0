// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/bench_costs.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <vector>

namespace sluice::simulate {
namespace {

using policy::cost_model;
using policy::instant;
using policy::step_shape;
using seconds = std::chrono::duration<double>;

constexpr int rounds = 400;

/// Steps whose times are known together only.
struct measured_steps {
  std::vector<step_shape> steps;
  seconds took{0};
};

/// The prompts of all sequences, one after the other, in full steps.
std::vector<step_shape> prompt_steps(std::uint32_t prompt, std::uint32_t batch,
                                     std::uint32_t step_tokens) {
  std::vector<step_shape> steps(1);
  for (std::uint32_t i = 0; i < batch; ++i)
    for (std::uint32_t at = 0; at < prompt;) {
      if (steps.back().rows == step_tokens)
        steps.emplace_back();
      const auto length =
          std::min(step_tokens - steps.back().rows, prompt - at);
      steps.back() += policy::shape_of_run(at, length, at + length == prompt);
      at += length;
    }
  return steps;
}

std::vector<step_shape> decode_steps(std::uint32_t prompt, std::uint32_t tokens,
                                     std::uint32_t batch) {
  std::vector<step_shape> steps(tokens);
  for (std::uint32_t i = 0; i < tokens; ++i)
    for (std::uint32_t k = 0; k < batch; ++k)
      steps[i] += policy::shape_of_run(prompt + i, 1, true);
  return steps;
}

/// Divides the time among the steps as the model thinks now, and learns.
void learn(cost_model& model, const measured_steps& group) {
  seconds predicted{0};
  for (const auto& step : group.steps)
    predicted += model.predict(step);
  for (const auto& step : group.steps) {
    const auto part = predicted.count() > 0
                          ? seconds{model.predict(step)} / predicted
                          : 1.0 / static_cast<double>(group.steps.size());
    model.observe(step, std::chrono::duration_cast<instant>(group.took * part));
  }
}

std::vector<measured_steps> groups_of(const nlohmann::json& report) {
  const auto step_tokens = report.value("step_tokens", 512u);
  std::vector<measured_steps> groups;
  for (const auto& row : report.at("rows")) {
    const auto prompt = row.at("pp").get<std::uint32_t>();
    const auto tokens = row.at("tg").get<std::uint32_t>();
    const auto batch = row.at("b").get<std::uint32_t>();
    groups.push_back({prompt_steps(prompt, batch, std::max(1u, step_tokens)),
                      seconds{row.at("t_pp").get<double>()}});
    groups.push_back({decode_steps(prompt, tokens, batch),
                      seconds{row.at("t_tg").get<double>()}});
  }
  return groups;
}

} // namespace

policy::cost_coefficients fit_bench(const nlohmann::json& report) try {
  const auto groups = groups_of(report);
  cost_model model;
  for (int i = 0; i < rounds; ++i)
    for (const auto& group : groups)
      learn(model, group);
  if (model.observed() == 0)
    throw std::runtime_error{"no row has a time"};
  return model.coefficients();
} catch (const nlohmann::json::exception& error) {
  throw std::runtime_error{
      std::string{"not the output of `sluice bench batch --json`: "} +
      error.what()};
}

} // namespace sluice::simulate

// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/bench_costs.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace sluice::simulate {
namespace {

using policy::cost_coefficients;
using policy::cost_model;
using policy::step_shape;
using seconds = std::chrono::duration<double>;

constexpr std::array fields{
    &cost_coefficients::step,      &cost_coefficients::row,
    &cost_coefficients::more_rows, &cost_coefficients::sample,
    &cost_coefficients::kv_read,   &cost_coefficients::kv_score};
using counts = std::array<double, fields.size()>;

constexpr int sweeps = 200;
constexpr int reweightings = 30;
constexpr double small_error = 0.02; // below, all errors weigh the same

/// Steps whose times are known together only: the counts of all of them, over
/// the time that they took.
using measured_steps = counts;

/// What a step would take if one coefficient were a second, the others zero.
counts counts_of(const step_shape& step) {
  counts result;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    cost_coefficients unit{0, 0, 0, 0, 0, 0};
    unit.*fields[i] = 1;
    result[i] = seconds{cost_model{unit}.predict(step)}.count();
  }
  return result;
}

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

void add(std::vector<measured_steps>& to, const std::vector<step_shape>& steps,
         double took) {
  if (!(took > 0))
    return;
  auto& all = to.emplace_back();
  for (const auto& step : steps) {
    const auto each = counts_of(step);
    for (std::size_t i = 0; i < each.size(); ++i)
      all[i] += each[i] / took;
  }
}

void add_rows(std::vector<measured_steps>& to, const nlohmann::json& report) {
  const auto step_tokens = std::max(1u, report.value("step_tokens", 512u));
  for (const auto& row : report.at("rows")) {
    const auto prompt = row.at("pp").get<std::uint32_t>();
    const auto tokens = row.at("tg").get<std::uint32_t>();
    const auto batch = row.at("b").get<std::uint32_t>();
    add(to, prompt_steps(prompt, batch, step_tokens),
        row.at("t_pp").get<double>());
    add(to, decode_steps(prompt, tokens, batch), row.at("t_tg").get<double>());
  }
}

/// Finds the coefficients, none negative, whose predictions are off by the
/// smallest sum of relative errors: least squares, over and over, in which what
/// is far off counts less. A row that was measured while something else ran
/// does not bend the fit.
class relative_fit {
public:
  explicit relative_fit(std::vector<measured_steps> measured)
      : measured_{std::move(measured)} {}

  cost_coefficients run() {
    for (int i = 0; i < reweightings; ++i) {
      weigh();
      for (int k = 0; k < sweeps; ++k)
        sweep();
    }
    cost_coefficients result;
    for (std::size_t i = 0; i < fields.size(); ++i)
      result.*fields[i] = found_[i];
    return result;
  }

private:
  double error(const measured_steps& steps) const {
    double predicted = 0;
    for (std::size_t i = 0; i < found_.size(); ++i)
      predicted += found_[i] * steps[i];
    return predicted - 1;
  }

  void weigh() {
    squares_ = {};
    products_ = {};
    for (const auto& steps : measured_) {
      const auto weight = 1 / std::max(std::abs(error(steps)), small_error);
      for (std::size_t i = 0; i < steps.size(); ++i) {
        products_[i] += weight * steps[i];
        for (std::size_t j = 0; j < steps.size(); ++j)
          squares_[i][j] += weight * steps[i] * steps[j];
      }
    }
  }

  void sweep() {
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (squares_[i][i] == 0)
        continue;
      auto rest = products_[i];
      for (std::size_t j = 0; j < found_.size(); ++j)
        rest -= squares_[i][j] * found_[j];
      found_[i] = std::max(0.0, found_[i] + rest / squares_[i][i]);
    }
  }

  std::vector<measured_steps> measured_;
  counts found_{};
  std::array<counts, fields.size()> squares_{};
  counts products_{};
};

} // namespace

cost_coefficients fit_bench(const std::vector<nlohmann::json>& reports) try {
  std::vector<measured_steps> measured;
  for (const auto& report : reports)
    add_rows(measured, report);
  if (measured.empty())
    throw std::runtime_error{"no row has a time"};
  return relative_fit{std::move(measured)}.run();
} catch (const nlohmann::json::exception& error) {
  throw std::runtime_error{
      std::string{"not the output of `sluice bench batch --json`: "} +
      error.what()};
}

} // namespace sluice::simulate

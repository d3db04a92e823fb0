// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/cost_model.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace sluice::policy {
namespace {

using seconds = std::chrono::duration<double>;

constexpr int sweeps = 4;
constexpr double outlier = 4;        // times the prediction
constexpr std::uint64_t warm_up = 8; // steps that are taken as they are
constexpr double shortest = 1e-6;    // seconds; below, errors are absolute
constexpr double forgotten = 1e-60;  // a weight that says nothing any more

// The order of counts_of().
constexpr std::array fields{
    &cost_coefficients::step,      &cost_coefficients::row,
    &cost_coefficients::more_rows, &cost_coefficients::sample,
    &cost_coefficients::kv_read,   &cost_coefficients::kv_score};

} // namespace

step_shape& step_shape::operator+=(const step_shape& other) {
  rows += other.rows;
  sampled += other.sampled;
  kv_reads += other.kv_reads;
  kv_scores += other.kv_scores;
  return *this;
}

step_shape shape_of_run(std::uint32_t start, std::uint32_t length,
                        std::uint32_t sampled) {
  const std::uint64_t n = length;
  return {.rows = length,
          .sampled = sampled,
          .kv_reads = start + n,
          .kv_scores = start * n + n * (n + 1) / 2};
}

cost_model::vector cost_model::counts_of(const step_shape& shape) {
  const double rows = shape.rows;
  return {1.0,
          rows,
          std::max(0.0, rows - many_rows),
          static_cast<double>(shape.sampled),
          static_cast<double>(shape.kv_reads),
          static_cast<double>(shape.kv_scores)};
}

instant cost_model::predict(const step_shape& shape) const {
  const auto counts = counts_of(shape);
  double time = 0;
  for (std::size_t i = 0; i < terms; ++i)
    time += c_.*fields[i] * counts[i];
  constexpr double longest = 1e9; // keeps the cast defined
  return std::chrono::duration_cast<instant>(seconds{std::min(time, longest)});
}

void cost_model::observe(const step_shape& shape, instant took) {
  if (took <= instant{0})
    return;
  const auto measured = seconds{took}.count();
  const auto predicted = seconds{predict(shape)}.count();
  const auto error = std::abs(predicted - measured) / measured;
  relative_error_ += (error - relative_error_) / (observed_ == 0 ? 1 : 20);
  // A stall of the machine is no cost; a machine that became slow is learned
  // all the same, by a factor at a time.
  const auto most =
      observed_ < warm_up ? measured : outlier * std::max(predicted, shortest);
  remember(counts_of(shape), std::min(measured, most));
  for (int i = 0; i < sweeps; ++i)
    sweep();
  ++observed_;
}

void cost_model::remember(const vector& counts, double time) {
  const double keep = std::exp2(-1 / half_life);
  const auto scale = std::max(time, shortest);
  const auto weight = 1 / (scale * scale);
  for (std::size_t i = 0; i < terms; ++i) {
    for (std::size_t j = 0; j < terms; ++j)
      squares_[i][j] = keep * squares_[i][j] + weight * counts[i] * counts[j];
    products_[i] = keep * products_[i] + weight * counts[i] * time;
  }
}

void cost_model::sweep() {
  for (std::size_t i = 0; i < terms; ++i) {
    if (squares_[i][i] < forgotten)
      continue;
    auto rest = products_[i];
    for (std::size_t j = 0; j < terms; ++j)
      rest -= squares_[i][j] * c_.*fields[j];
    auto& c = c_.*fields[i];
    c = std::max(0.0, c + rest / squares_[i][i]);
  }
}

cost_coefficients starting_costs(std::uint64_t weight_bytes) {
  const auto bytes = static_cast<double>(weight_bytes);
  constexpr double read_per_second = 1e10;
  constexpr double rows_per_second = 1e11; // of one byte of weights each
  return {.step = 1e-4 + bytes / read_per_second,
          .row = 1e-6 + bytes / rows_per_second,
          .more_rows = 0,
          .sample = 1e-5,
          .kv_read = 1e-7,
          .kv_score = 1e-7};
}

} // namespace sluice::policy

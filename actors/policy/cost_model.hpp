// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "actors/policy/instant.hpp"

namespace sluice::policy {

/// What a step does, in the counts that its time depends on.
struct step_shape {
  std::uint32_t rows = 0;     // positions that go through the matmuls
  std::uint32_t sampled = 0;  // of them, those that get logits and a token
  std::uint64_t kv_reads = 0; // positions that attention fetches, over all runs
  std::uint64_t kv_scores = 0; // pairs of a query and a key, over all positions

  step_shape& operator+=(const step_shape& other);
  bool operator==(const step_shape&) const = default;
};

/// The part of a step that computes positions [start, start + length) of one
/// sequence: a decode has length 1.
step_shape shape_of_run(std::uint32_t start, std::uint32_t length,
                        std::uint32_t sampled);

/// Seconds for each count; none is negative.
struct cost_coefficients {
  double step = 1e-3;     // once a step: weights are read, threads meet
  double row = 1e-4;      // each matmul row
  double more_rows = 0;   // in addition, each row past `many_rows`
  double sample = 1e-5;   // each sampled row
  double kv_read = 1e-8;  // each position fetched
  double kv_score = 1e-8; // each pair of query and key
};

/// Predicts how long a step takes and learns from steps that are done:
///   t = step + row * rows + more_rows * (rows past many_rows)
///       + sample * sampled + kv_read * kv_reads + kv_score * kv_scores
/// A few rows hide behind the reading of the weights, many do not: hence two
/// slopes. Decodes fetch KV for one query each, prompt chunks for many: hence
/// two terms of attention.
///
/// The coefficients are those of a least-squares fit of relative errors in
/// which a step counts half as much after `half_life` further ones. One sweep
/// of coordinate descent a step, from where the last one ended, with each
/// coefficient kept above zero: what the data say nothing about stays as it
/// was, so lanes that only decode for an hour still know what a prompt costs.
/// Times far above the prediction are cut before they are learned from.
class cost_model {
public:
  static constexpr std::uint32_t many_rows = 32;
  static constexpr double half_life = 200; // steps

  explicit cost_model(cost_coefficients start = {}) : c_{start} {}

  instant predict(const step_shape& shape) const;

  /// Learns from a finished step; zero or negative times are ignored.
  void observe(const step_shape& shape, instant took);

  const cost_coefficients& coefficients() const noexcept { return c_; }

  /// Steps that were learned from.
  std::uint64_t observed() const noexcept { return observed_; }

  /// |predicted - measured| / measured, smoothed over recent steps.
  double relative_error() const noexcept { return relative_error_; }

private:
  static constexpr std::size_t terms = 6;
  using vector = std::array<double, terms>;

  static vector counts_of(const step_shape& shape);
  void remember(const vector& counts, double seconds);
  void sweep();

  cost_coefficients c_;
  std::array<vector, terms> squares_{}; // decayed sum of x * x^T
  vector products_{};                   // decayed sum of x * t
  std::uint64_t observed_ = 0;
  double relative_error_ = 0;
};

/// Where a lane starts before its first step: cautious for a CPU, so that the
/// first chunks are short rather than long; a few steps put it right.
/// @param weight_bytes  read by every step.
cost_coefficients starting_costs(std::uint64_t weight_bytes);

} // namespace sluice::policy

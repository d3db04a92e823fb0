// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling.hpp"
#include "model/cuda/cuda_counts.hpp"
#include "model/lane_batch.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// The most that one slice of a step's wanted positions brings along. Any one
/// position fits, whatever its request asks for, but for a longer bias.
struct choice_limits {
  std::uint32_t rows = 0; // positions
  std::uint32_t bias = 0; // biased tokens of all rows
  std::uint32_t top = 0;  // alternatives of all rows

  /// @param rows  of the logits.
  static choice_limits of(std::uint32_t rows, std::uint32_t vocab);
};

/// What the choice of tokens needs to know of one slice, as lists that go to
/// the device: settings and biases, and where the penalty counts are that it
/// keeps.
class choice_slice {
public:
  explicit choice_slice(const choice_limits& limits);

  /// Takes the wanted positions of a batch from `first` on, as many as fit.
  /// @param counts  plans those of its sequences: they must be sent.
  void fill(const lane_batch& batch, std::uint32_t first, cuda_counts& counts);

  std::uint32_t first() const noexcept { return first_; }
  std::uint32_t count() const noexcept {
    return static_cast<std::uint32_t>(rows.size());
  }

  /// Alternatives that each row has room for: none, or one of few sizes, since
  /// a recorded graph has its own.
  std::int32_t most_top() const noexcept { return most_top_; }

  std::vector<cuda::choice_row> rows;
  std::vector<cuda::choice_settings> settings;
  std::vector<logit_bias> bias;
  std::vector<std::int32_t> drafts; // at most one a row

private:
  void clear(std::uint32_t first);
  bool add_row(const batch_row& row, cuda_counts& counts);
  bool add_position(const batch_row& row, std::uint32_t wanted,
                    cuda_counts& counts);
  bool fits(const batch_row& row, const cuda_counts* counts) const;
  std::uint32_t top_beside(const lane_sampling& sampling) const;
  void add_settings(const batch_row& row);
  void add_counts(const batch_row& row, std::uint32_t wanted,
                  cuda_counts& counts);

  choice_limits limits_;
  std::uint32_t first_ = 0;
  std::int32_t most_top_ = 0;
  std::span<const std::int32_t> index_of_; // of wanted positions in the step
  const batch_row* set_ = nullptr;         // whose settings are the last
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/block_reduce.hpp"
#include "kernels/cuda/sampling/layout.hpp"
#include "kernels/cuda/sampling/numbers.hpp"

// One row of a call as its kernels see it.

namespace sluice::cuda::sampling {

struct row_view {
  std::int64_t index;
  std::int64_t vocabulary;
  std::int64_t slices;
  choice_row row;
  choice_settings settings;
  const float* raw;

  SLUICE_DEVICE row_view(const call& made, std::int64_t at)
      : index{at}, vocabulary{made.args.logits.columns}, slices{slices_of(
                                                             vocabulary)},
        row{made.args.rows[at]}, raw{made.args.logits.data +
                                     at * made.args.logits.row_stride} {
    if (row.given >= vocabulary)
      row.settings = -1;
    if (row.settings >= 0)
      settings = made.args.settings[row.settings];
  }

  SLUICE_DEVICE bool is_skipped() const { return row.settings < 0; }
  SLUICE_DEVICE bool is_given() const { return row.given >= 0; }

  SLUICE_DEVICE bool has_penalties() const {
    const auto& p = settings.params;
    return settings.counts >= 0 &&
           (p.repetition_penalty != 1 || p.frequency_penalty != 0 ||
            p.presence_penalty != 0);
  }
  SLUICE_DEVICE bool changes_logits() const {
    return !is_given() && (has_penalties() || settings.bias_count > 0 ||
                           settings.allowed >= 0);
  }
  SLUICE_DEVICE bool cuts_to_k() const {
    return settings.params.top_k > 0 && settings.params.top_k < vocabulary;
  }
  SLUICE_DEVICE bool cuts_to_p() const { return settings.params.top_p < 1; }
  SLUICE_DEVICE bool is_filtered() const {
    return cuts_to_k() || cuts_to_p() || settings.params.min_p > 0;
  }
  SLUICE_DEVICE std::int32_t top_wanted() const {
    return is_given() ? settings.top_scores : settings.top_logprobs;
  }
  SLUICE_DEVICE bool wants_raw() const {
    return is_given() || settings.want_logprobs || settings.top_logprobs > 0;
  }
  SLUICE_DEVICE noise_key key() const {
    return {static_cast<std::uint32_t>(settings.seed),
            static_cast<std::uint32_t>(settings.seed >> 32), settings.sequence,
            static_cast<std::uint32_t>(row.position)};
  }

  /// Logits after penalties, bias and mask.
  SLUICE_DEVICE const float* logits(const call& made) const {
    return changes_logits() ? made.memory.changed + index * made.memory.stride
                            : raw;
  }
};

/// Four neighbours; past the end they are forbidden.
struct four_logits {
  float x[4];

  SLUICE_DEVICE four_logits(const float* row, std::int64_t group,
                            std::int64_t vocabulary) {
    const std::int64_t left = vocabulary - 4 * group;
    floats4 v{forbidden, forbidden, forbidden, forbidden};
    if (left > 0)
      v = reinterpret_cast<const floats4*>(row)[group]; // the stride has 4
    x[0] = v.x;
    x[1] = left > 1 ? v.y : forbidden;
    x[2] = left > 2 ? v.z : forbidden;
    x[3] = left > 3 ? v.w : forbidden;
  }
};

/// The i-th group of four tokens of this thread in its block's slice: the
/// groups of a warp are neighbours.
SLUICE_DEVICE std::int64_t group_of(int i) {
  return block_x() * (slice_tokens / 4) + std::int64_t{i} * slice_threads +
         thread();
}

/// What the surveys of all slices say together.
struct row_summary {
  rank_key top = 0; // of possible tokens
  bool broken = false;

  /// Every lane of a warp calls it and gets the same.
  SLUICE_DEVICE row_summary(const call& made, const row_view& row) {
    const auto* all = made.memory.surveys + row.index * row.slices;
    std::uint32_t any_broken = 0;
    for (std::int64_t i = lane(); i < row.slices; i += warp_lanes) {
      top = max(top, all[i].top);
      any_broken |= all[i].broken;
    }
    top = reduce_warp(top, largest_of{});
    broken = ballot(any_broken != 0) != 0;
  }
  SLUICE_DEVICE bool draws(const row_view& row) const {
    return !broken && top != 0 && row.settings.params.temperature != 0;
  }
};

/// log(sum(exp(logit))) of the row as the model gave it.
SLUICE_DEVICE double raw_log_sum(const call& made, const row_view& row) {
  const auto* all = made.memory.surveys + row.index * row.slices;
  float top = forbidden;
  for (std::int64_t i = lane(); i < row.slices; i += warp_lanes)
    top = max(top, all[i].raw_top);
  top = reduce_warp(top, largest_of{});
  double sum = 0;
  for (std::int64_t i = lane(); i < row.slices; i += warp_lanes)
    sum += all[i].raw_sum * exp_double(double{all[i].raw_top} - top);
  return top + log_double(reduce_warp(sum, sum_of{}));
}

/// The bin of a scaled logit; larger ones have lower bins.
SLUICE_DEVICE int bin_of(float scaled) {
  return static_cast<int>(
      min(static_cast<float>(bins - 1), -scaled * bins_of_one));
}

} // namespace sluice::cuda::sampling

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling/row.hpp"

// Which tokens of a filtered row can pass its filters: those of the first bins
// of its histogram. Every kernel that asks gets the same answer.

namespace sluice::cuda::sampling {

/// exp(scaled) of all possible tokens; measured for rows that need it.
SLUICE_DEVICE fixed_mass mass_of_row(const call& made, const row_view& row) {
  const auto* all = made.memory.measures + row.index * row.slices;
  fixed_mass sum = 0;
  for (std::int64_t i = lane(); i < row.slices; i += warp_lanes)
    sum += all[i].mass;
  return reduce_warp(sum, sum_of{});
}

/// The sum over this lane and the lanes below, or above.
template <class T>
SLUICE_DEVICE T sum_up_to_lane(T value) {
  for (int delta = 1; delta < warp_lanes; delta *= 2) {
    const T other = shuffle(value, lane() >= delta ? lane() - delta : 0);
    value = lane() >= delta ? value + other : value;
  }
  return value;
}
template <class T>
SLUICE_DEVICE T sum_from_lane(T value) {
  for (int delta = 1; delta < warp_lanes; delta *= 2) {
    const T other = shuffle_down(value, delta);
    value = lane() + delta < warp_lanes ? value + other : value;
  }
  return value;
}

/// A lane's part of the histogram: neighbouring bins.
struct own_bins {
  static constexpr int count = bins / warp_lanes;
  std::int32_t tokens[count];
  std::int32_t total = 0;

  SLUICE_DEVICE own_bins(const call& made, const row_view& row) {
    const auto* all = made.memory.histogram + row.index * bins;
    SLUICE_UNROLL
    for (int i = 0; i < count; ++i) {
      tokens[i] = all[lane() * count + i];
      total += tokens[i];
    }
  }

  /// The first bin with which there are k tokens, or the last one.
  SLUICE_DEVICE int bin_of_rank(std::int32_t k) const {
    std::int32_t before = sum_up_to_lane(total) - total;
    int found = bins - 1;
    SLUICE_UNROLL
    for (int i = 0; i < count; ++i) {
      before += tokens[i];
      if (before >= k)
        found = min(found, lane() * count + i);
    }
    return reduce_warp(found, smallest_of{});
  }

  /// The first bin behind which there is no more than a mass, reckoning every
  /// token at its bin's upper edge.
  SLUICE_DEVICE int bin_of_tail(double most) const {
    const auto edge = [](int bin) {
      return double{exp_f32(static_cast<float>(-bin) / bins_of_one)};
    };
    double own = 0;
    SLUICE_UNROLL
    for (int i = 0; i < count; ++i)
      own += tokens[i] * edge(lane() * count + i);
    const double above = shuffle_down(sum_from_lane(own), 1);
    double tail = lane() + 1 < warp_lanes ? above : 0;
    int found = bins - 1;
    SLUICE_UNROLL
    for (int i = count - 1; i >= 0; --i) {
      if (tail <= most)
        found = min(found, lane() * count + i);
      tail += tokens[i] * edge(lane() * count + i);
    }
    return reduce_warp(found, smallest_of{});
  }

  SLUICE_DEVICE std::int32_t tokens_up_to(int last) const {
    std::int32_t sum = 0;
    SLUICE_UNROLL
    for (int i = 0; i < count; ++i)
      sum += lane() * count + i <= last ? tokens[i] : 0;
    return reduce_warp(sum, sum_of{});
  }
};

/// The least scaled logit that min-p keeps.
SLUICE_DEVICE double least_of_min_p(const row_view& row) {
  const float min_p = row.settings.params.min_p;
  return min_p > 0 ? log_double(double{min_p}) : double{forbidden};
}

struct list_plan {
  int last_bin = bins - 1; // what is behind it cannot pass
  std::int32_t listed = 0; // tokens up to it
  std::int32_t possible = 0;

  /// @pre the row is filtered; every lane of a warp calls it.
  SLUICE_DEVICE list_plan(const call& made, const row_view& row) {
    const auto& params = row.settings.params;
    const own_bins own{made, row};
    if (row.cuts_to_k()) {
      last_bin = own.bin_of_rank(params.top_k);
    } else {
      if (row.cuts_to_p()) {
        // A little less than what top-p leaves out, for the roundings.
        const double all = static_cast<double>(mass_of_row(made, row));
        last_bin = own.bin_of_tail((1.0 - double{params.top_p}) * all *
                                   mass_unit * (1 - 1e-5));
      }
      if (params.min_p > 0)
        last_bin =
            min(last_bin, bin_of(static_cast<float>(least_of_min_p(row))) + 1);
    }
    listed = own.tokens_up_to(last_bin);
    possible = reduce_warp(own.total, sum_of{});
  }

  SLUICE_DEVICE bool fits() const { return listed <= list_room; }
};

} // namespace sluice::cuda::sampling

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling/row.hpp"

namespace sluice::cuda::sampling {

/// The largest key of a run of raw logits that is below a limit, or 0. One warp
/// calls it.
SLUICE_DEVICE rank_key largest_below(const row_view& row, std::int64_t run,
                                     rank_key limit) {
  const auto group = run * (run_tokens / 4) + lane();
  const four_logits v{row.raw, group, row.vocabulary};
  const auto first = static_cast<std::int32_t>(4 * group);
  rank_key best = 0;
  SLUICE_UNROLL
  for (int j = 0; j < 4; ++j) {
    const auto key = v.x[j] == forbidden ? 0 : key_of(v.x[j], first + j);
    best = max(best, key < limit ? key : 0);
  }
  return reduce_warp(best, largest_of{});
}

/// Writes the row's largest raw log-probabilities, one after the other: the run
/// of the largest logit gives it, and then has a new largest one.
/// @param runs  [runs_of(vocabulary)] in shared memory.
/// @return how many.
SLUICE_DEVICE std::int32_t list_alternatives(const call& made,
                                             const row_view& row,
                                             double log_sum, float* runs,
                                             std::uint64_t* room) {
  const auto wanted = min<std::int64_t>(
      min<std::int64_t>(row.top_wanted(), made.args.most_top), row.vocabulary);
  const auto count = runs_of(row.vocabulary);
  const float* largest = made.memory.largest + row.index * count;
  for (std::int64_t i = thread(); i < count; i += threads())
    runs[i] = largest[i];
  sync_block();
  rank_key last = ~rank_key{0};
  for (std::int64_t n = 0; n < wanted; ++n) {
    rank_key best = 0;
    for (std::int64_t i = thread(); i < count; i += threads())
      best = max(best, key_of(runs[i], static_cast<std::int32_t>(i)));
    const auto run = token_of(reduce_block(best, room, largest_of{}));
    const rank_key taken = largest_below(row, run, last);
    if (warp() == 0) {
      const rank_key next = largest_below(row, run, taken);
      if (lane() == 0) {
        runs[run] = next == 0 ? forbidden : logit_of(next);
        made.args.top[row.index * made.args.most_top + n] = {
            token_of(taken), static_cast<float>(logit_of(taken) - log_sum)};
      }
    }
    last = taken;
    sync_block();
  }
  return static_cast<std::int32_t>(max<std::int64_t>(wanted, 0));
}

} // namespace sluice::cuda::sampling

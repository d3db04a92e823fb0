// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/sampling/row.hpp"

// The first look at the logits: bound by memory, which is read once. Rows whose
// settings change logits are written once too, those that want raw
// log-probabilities cost an exponential a token.

namespace sluice::cuda::sampling {
namespace {

struct survey_memory {
  std::uint64_t tops[reduce_room];
  double sums[reduce_room];
  float raw_tops[reduce_room];
  std::uint32_t flags[reduce_room];
};

SLUICE_DEVICE bool is_finite(float x) {
  return (bits_of(x) & 0x7f800000u) != 0x7f800000u;
}

// -- changes to logits ------------------------------------------------------

// Whether a token of this block's slice is one of this thread's: no two threads
// meet.
SLUICE_DEVICE bool is_own(std::int64_t token) {
  const std::int64_t inside = token - block_x() * slice_tokens;
  return inside >= 0 && inside < slice_tokens &&
         inside / 4 % slice_threads == thread();
}

// A count with the token at a position among what it counts.
SLUICE_DEVICE std::uint32_t
with_token_at(std::int32_t position, const row_view& row, std::uint32_t count) {
  return position < row.settings.prompt_tokens ? count | count_in_prompt
                                               : count + 1;
}

// The token before the row's position, counted for good.
SLUICE_DEVICE void count_entering(const call& made, const row_view& row) {
  if (row.row.enters < 0)
    return;
  const std::int64_t token = made.args.ids[row.row.enters];
  if (token < 0 || token >= row.vocabulary || !is_own(token))
    return;
  auto& count =
      made.args
          .counts[row.settings.counts * count_stride(row.vocabulary) + token];
  count = with_token_at(row.row.position - 1, row, count);
}

// Occurrences of a token, as choice_args::counts has them, drafts included.
SLUICE_DEVICE std::uint32_t count_of(const call& made, const row_view& row,
                                     std::int64_t token) {
  auto count =
      made.args
          .counts[row.settings.counts * count_stride(row.vocabulary) + token];
  for (int i = 0; i < row.row.drafts; ++i)
    if (made.args.drafts[row.row.drafts_first + i] == token)
      count = with_token_at(row.row.position - row.row.drafts + i, row, count);
  return count;
}

// Every product and sum is rounded, as on the CPU.
SLUICE_DEVICE float penalized(float logit, std::uint32_t count,
                              const sampling_params& params) {
  if (count == 0)
    return logit;
  const float penalty = params.repetition_penalty;
  logit = logit > 0 ? logit / penalty : multiply_alone(logit, penalty);
  const auto generated = count & ~count_in_prompt;
  if (generated > 0) {
    logit = logit - multiply_alone(params.frequency_penalty,
                                   static_cast<float>(generated));
    logit = logit - params.presence_penalty;
  }
  return logit;
}

// Biases of this thread's own tokens, in their order.
SLUICE_DEVICE void add_bias(const call& made, const row_view& row,
                            float* changed) {
  const auto* bias = made.args.bias + row.settings.bias_first;
  for (int i = 0; i < row.settings.bias_count; ++i) {
    const std::int64_t token = bias[i].token;
    if (token < row.vocabulary && is_own(token))
      changed[token] += bias[i].bias;
  }
}

SLUICE_DEVICE bool is_allowed(const call& made, const row_view& row,
                              std::int64_t token) {
  const auto* mask =
      made.args.allowed + row.settings.allowed * mask_stride(row.vocabulary);
  return mask[token / 64] >> (token % 64) & 1;
}

// Writes this thread's tokens of the changed row.
SLUICE_DEVICE void change_logits(const call& made, const row_view& row) {
  float* changed = made.memory.changed + row.index * made.memory.stride;
  const bool penalizes = row.has_penalties();
  if (penalizes)
    count_entering(made, row);
  for (int i = 0; i < groups_each; ++i)
    for (std::int64_t t = 4 * group_of(i), end = t + 4;
         t < min(end, row.vocabulary); ++t)
      changed[t] = penalizes ? penalized(row.raw[t], count_of(made, row, t),
                                         row.settings.params)
                             : row.raw[t];
  add_bias(made, row, changed);
  if (row.settings.allowed < 0)
    return;
  for (int i = 0; i < groups_each; ++i)
    for (std::int64_t t = 4 * group_of(i), end = t + 4;
         t < min(end, row.vocabulary); ++t)
      if (!is_allowed(made, row, t))
        changed[t] = forbidden;
}

// -- what the model gave ----------------------------------------------------

SLUICE_DEVICE void survey_raw(const call& made, const row_view& row,
                              survey_memory* memory, slice_survey& found) {
  float top = forbidden;
  float* largest = made.memory.largest + row.index * runs_of(row.vocabulary);
  for (int i = 0; i < groups_each; ++i) {
    const four_logits v{row.raw, group_of(i), row.vocabulary};
    const float most = max(max(v.x[0], v.x[1]), max(v.x[2], v.x[3]));
    top = max(top, most);
    if (row.top_wanted() > 0) {
      const float of_run = reduce_warp(most, largest_of{});
      if (lane() == 0)
        largest[4 * group_of(i) / run_tokens] = of_run;
    }
  }
  found.raw_top = reduce_block(top, memory->raw_tops, largest_of{});
  double sum = 0;
  for (int i = 0; i < groups_each; ++i) {
    const four_logits v{row.raw, group_of(i), row.vocabulary};
    for (const float x : v.x)
      sum += exp_f32(x - found.raw_top);
  }
  found.raw_sum = reduce_block(sum, memory->sums, sum_of{});
}

// -- the largest ------------------------------------------------------------

struct look {
  rank_key top = 0;
  std::uint32_t broken = 0;
};

SLUICE_DEVICE look look_at(const call& made, const row_view& row) {
  look seen;
  const float* logits = row.logits(made);
  SLUICE_UNROLL
  for (int i = 0; i < groups_each; ++i) {
    const four_logits v{logits, group_of(i), row.vocabulary};
    const auto first = static_cast<std::int32_t>(4 * group_of(i));
    SLUICE_UNROLL
    for (int j = 0; j < 4; ++j) {
      if (v.x[j] == forbidden)
        continue;
      seen.broken |= !is_finite(v.x[j]);
      seen.top = max(seen.top, key_of(v.x[j], first + j));
    }
  }
  return seen;
}

// A token that the model itself forbade is as broken as a NaN.
SLUICE_DEVICE std::uint32_t look_for_infinity(const row_view& row) {
  std::uint32_t broken = 0;
  SLUICE_UNROLL
  for (int i = 0; i < groups_each; ++i) {
    const auto group = group_of(i);
    const four_logits v{row.raw, group, row.vocabulary};
    SLUICE_UNROLL
    for (int j = 0; j < 4; ++j)
      broken |= 4 * group + j < row.vocabulary && !is_finite(v.x[j]);
  }
  return broken;
}

SLUICE_DEVICE void clear_counters(const call& made, std::int64_t row) {
  for (int i = thread(); i < bins; i += slice_threads)
    made.memory.histogram[row * bins + i] = 0;
  if (thread() == 0)
    made.memory.listed[row * 4] = 0;
}

SLUICE_KERNEL(slice_threads)
survey_kernel(call made) {
  auto* memory = shared_memory<survey_memory>();
  let_next_kernel_start();
  wait_for_previous_kernel();
  const row_view row{made, block_y()};
  if (row.is_skipped())
    return;
  if (block_x() == 0)
    clear_counters(made, row.index);
  slice_survey found;
  if (row.wants_raw())
    survey_raw(made, row, memory, found);
  if (row.changes_logits())
    change_logits(made, row);
  const look seen = look_at(made, row);
  const auto broken = seen.broken | look_for_infinity(row);
  found.top = reduce_block(seen.top, memory->tops, largest_of{});
  found.broken = reduce_block(broken, memory->flags, largest_of{});
  if (thread() == 0)
    made.memory.surveys[row.index * row.slices + block_x()] = found;
}

} // namespace

void start_survey(const call& made, stream& in) {
  const auto& logits = made.args.logits;
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(slices_of(logits.columns)),
          .grid_y = static_cast<std::uint32_t>(logits.rows),
          .threads = slice_threads,
          .shared_bytes = sizeof(survey_memory),
          .early = true},
         survey_kernel, made);
}

} // namespace sluice::cuda::sampling

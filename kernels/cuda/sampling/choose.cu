// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/sampling/alternatives.hpp"
#include "kernels/cuda/sampling/candidates.hpp"

// The last word on every row, a block each. Bound by latency: a few hundred
// candidates, up to 16 short passes over them and some tens of barriers. A row
// of which more than list_room tokens may pass takes the passes over itself.

namespace sluice::cuda::sampling {
namespace {

constexpr int choose_threads = 256;

struct choose_memory {
  std::uint64_t keys[reduce_room];
  double values[reduce_room];
  std::int32_t tokens[reduce_room];
  digit_memory digits;
};

SLUICE_DEVICE float logprob_of(float scaled, fixed_mass mass) {
  return static_cast<float>(scaled -
                            log_double(static_cast<double>(mass) * mass_unit));
}

// The best of all slices. Every warp finds the same.
SLUICE_DEVICE drawn_token best_of_slices(const call& made,
                                         const row_view& row) {
  const auto* all = made.memory.measures + row.index * row.slices;
  drawn_token best{double{forbidden}, 0x7fffffff};
  for (std::int64_t i = lane(); i < row.slices; i += warp_lanes) {
    const auto& each = all[i];
    if (each.token >= 0 &&
        (each.value > best.value ||
         (each.value == best.value && each.token < best.token)))
      best = {each.value, each.token};
  }
  const double value = reduce_warp(best.value, largest_of{});
  constexpr std::int32_t none = 0x7fffffff;
  return {value,
          reduce_warp(best.value == value ? best.token : none, smallest_of{})};
}

SLUICE_DEVICE void choose_filtered(const call& made, const row_view& row,
                                   float top, choose_memory* memory,
                                   choice& out) {
  const list_plan plan{made, row};
  const candidates from{made, row, plan, top};
  const kept_part kept =
      filter(made, row, from, plan, &memory->digits, memory->keys);
  out.token =
      draw(from, kept, row.key(), memory->keys, memory->values, memory->tokens)
          .token;
  if (row.settings.want_logprobs)
    out.logprob = logprob_of(
        from.scale(from.logits[out.token]),
        mass_of_part(
            from, [&](rank_key key) { return kept.has(key); }, memory->keys));
}

SLUICE_DEVICE void choose_drawn(const call& made, const row_view& row,
                                const row_summary& seen, choose_memory* memory,
                                choice& out) {
  const float top = logit_of(seen.top);
  if (row.settings.params.temperature == 0) {
    out.token = token_of(seen.top);
  } else if (row.is_filtered()) {
    choose_filtered(made, row, top, memory, out);
  } else {
    out.token = best_of_slices(made, row).token;
    if (row.settings.want_logprobs) {
      const scaling scale{top, row.settings.params.temperature};
      out.logprob = logprob_of(scale(row.logits(made)[out.token]),
                               mass_of_row(made, row));
    }
  }
}

SLUICE_DEVICE std::int32_t rank_of_given(const call& made,
                                         const row_view& row) {
  const auto* all = made.memory.measures + row.index * row.slices;
  std::int32_t better = 0;
  for (std::int64_t i = lane(); i < row.slices; i += warp_lanes)
    better += all[i].better;
  return 1 + reduce_warp(better, sum_of{});
}

SLUICE_DEVICE void add_raw(const call& made, const row_view& row, float* runs,
                           choose_memory* memory, choice& out) {
  const double log_sum = raw_log_sum(made, row);
  const auto logprob = static_cast<float>(row.raw[out.token] - log_sum);
  if (row.is_given())
    out.logprob = logprob;
  else
    out.raw_logprob = logprob;
  if (row.top_wanted() > 0)
    out.top_count = list_alternatives(made, row, log_sum, runs, memory->keys);
}

SLUICE_DEVICE choice choose(const call& made, const row_view& row, float* runs,
                            choose_memory* memory) {
  choice out;
  if (row.is_skipped())
    return out;
  const row_summary seen{made, row};
  if (seen.broken) {
    out.status = sample_status::non_finite;
    return out;
  }
  if (seen.top == 0) {
    out.status = sample_status::nothing_allowed;
    return out;
  }
  if (row.is_given()) {
    out.token = row.row.given;
    out.rank = rank_of_given(made, row);
  } else {
    choose_drawn(made, row, seen, memory, out);
  }
  if (row.wants_raw())
    add_raw(made, row, runs, memory, out);
  return out;
}

SLUICE_KERNEL(choose_threads)
choose_kernel(call made) {
  auto* memory = shared_memory<choose_memory>();
  auto* runs = reinterpret_cast<float*>(memory + 1);
  let_next_kernel_start();
  wait_for_previous_kernel();
  const row_view row{made, block_x()};
  const choice out = choose(made, row, runs, memory);
  if (thread() == 0)
    made.args.out[row.index] = out;
}

} // namespace

void start_choose(const call& made, stream& in) {
  const auto& logits = made.args.logits;
  const auto runs = static_cast<std::size_t>(runs_of(logits.columns));
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(logits.rows),
          .threads = choose_threads,
          .shared_bytes = sizeof(choose_memory) + runs * sizeof(float),
          .early = true},
         choose_kernel, made);
}

} // namespace sluice::cuda::sampling

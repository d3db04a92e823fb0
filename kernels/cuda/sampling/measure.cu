// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/sampling/row.hpp"

// The second look, when the largest logit is known. Without filters it draws:
// bound by the noise, about 40 integer operations a token. Exact values are
// made for the few tokens alone whose bound reaches the best one's.

namespace sluice::cuda::sampling {
namespace {

struct measure_memory {
  std::uint64_t keys[reduce_room];
  double values[reduce_room];
  std::int32_t tokens[reduce_room];
  std::int32_t histogram[bins];
};

// This thread's tokens of the slice, scaled; forbidden ones stay so.
struct own_tokens {
  float scaled[groups_each][4];
  std::uint32_t possible = 0; // a bit a token

  SLUICE_DEVICE own_tokens(const float* logits, std::int64_t vocabulary,
                           const scaling& scale) {
    SLUICE_UNROLL
    for (int i = 0; i < groups_each; ++i) {
      const four_logits v{logits, group_of(i), vocabulary};
      SLUICE_UNROLL
      for (int j = 0; j < 4; ++j) {
        const bool may_be = v.x[j] != forbidden;
        possible |= (may_be ? 1u : 0u) << (4 * i + j);
        scaled[i][j] = may_be ? scale(v.x[j]) : forbidden;
      }
    }
  }

  SLUICE_DEVICE bool is_possible(int i, int j) const {
    return possible >> (4 * i + j) & 1;
  }
  static SLUICE_DEVICE std::int32_t token(int i, int j) {
    return static_cast<std::int32_t>(4 * group_of(i)) + j;
  }

  SLUICE_DEVICE fixed_mass mass() const {
    fixed_mass sum = 0;
    SLUICE_UNROLL
    for (int i = 0; i < groups_each; ++i)
      SLUICE_UNROLL
    for (int j = 0; j < 4; ++j)
      sum += mass_of(scaled[i][j]);
    return sum;
  }
};

// -- drawing ----------------------------------------------------------------

// Bounds of this thread's values, and the token of the largest.
struct own_bounds {
  float bound[groups_each][4];
  rank_key leader = 0;

  SLUICE_DEVICE own_bounds(const own_tokens& own, const noise_key& key) {
    SLUICE_UNROLL
    for (int i = 0; i < groups_each; ++i) {
      const words4 w =
          philox_of_group(key, static_cast<std::uint32_t>(group_of(i)));
      const std::uint32_t words[4] = {w.x, w.y, w.z, w.w};
      SLUICE_UNROLL
      for (int j = 0; j < 4; ++j) {
        bound[i][j] = bound_of(own.scaled[i][j], words[j]);
        if (own.is_possible(i, j))
          leader = max(leader, key_of(bound[i][j], own_tokens::token(i, j)));
      }
    }
  }
};

SLUICE_DEVICE void draw(const call& made, const row_view& row,
                        const scaling& scale, const own_tokens& own,
                        measure_memory* memory, slice_measure& found) {
  const auto key = row.key();
  const own_bounds bounds{own, key};
  const auto leader = reduce_block(bounds.leader, memory->keys, largest_of{});
  if (leader == 0)
    return; // nothing here is possible
  const auto first = token_of(leader);
  const double least =
      value_of(scale(row.logits(made)[first]), word_of(key, first));
  double best = least;
  std::int32_t token = first;
  SLUICE_UNROLL
  for (int i = 0; i < groups_each; ++i)
    SLUICE_UNROLL
  for (int j = 0; j < 4; ++j) {
    if (!own.is_possible(i, j) || !may_reach(bounds.bound[i][j], least))
      continue;
    const auto rival = own_tokens::token(i, j);
    const double value = value_of(own.scaled[i][j], word_of(key, rival));
    if (value > best || (value == best && rival < token)) {
      best = value;
      token = rival;
    }
  }
  found.value = reduce_block(best, memory->values, largest_of{});
  constexpr std::int32_t none = 0x7fffffff;
  found.token = reduce_block(best == found.value ? token : none, memory->tokens,
                             smallest_of{});
}

// -- filters ----------------------------------------------------------------

SLUICE_DEVICE void count_bins(const call& made, const row_view& row,
                              const own_tokens& own, measure_memory* memory) {
  for (int i = thread(); i < bins; i += slice_threads)
    memory->histogram[i] = 0;
  sync_block();
  SLUICE_UNROLL
  for (int i = 0; i < groups_each; ++i)
    SLUICE_UNROLL
  for (int j = 0; j < 4; ++j)
    if (own.is_possible(i, j))
      atomic_add(memory->histogram + bin_of(own.scaled[i][j]), 1);
  sync_block();
  auto* all = made.memory.histogram + row.index * bins;
  for (int i = thread(); i < bins; i += slice_threads)
    if (memory->histogram[i] > 0)
      atomic_add(all + i, memory->histogram[i]);
}

// -- given tokens -----------------------------------------------------------

SLUICE_DEVICE std::int32_t count_better(const row_view& row,
                                        measure_memory* memory) {
  const auto given = key_of(row.raw[row.row.given], row.row.given);
  std::int32_t better = 0;
  SLUICE_UNROLL
  for (int i = 0; i < groups_each; ++i) {
    const four_logits v{row.raw, group_of(i), row.vocabulary};
    SLUICE_UNROLL
    for (int j = 0; j < 4; ++j)
      better += v.x[j] != forbidden &&
                key_of(v.x[j], own_tokens::token(i, j)) > given;
  }
  return reduce_block(better, memory->tokens, sum_of{});
}

SLUICE_KERNEL(slice_threads)
measure_kernel(call made) {
  auto* memory = shared_memory<measure_memory>();
  let_next_kernel_start();
  wait_for_previous_kernel();
  const row_view row{made, block_y()};
  if (row.is_skipped())
    return;
  const row_summary seen{made, row};
  if (!row.is_given() && !seen.draws(row))
    return;
  slice_measure found;
  if (row.is_given()) {
    found.better = count_better(row, memory);
  } else {
    const scaling scale{logit_of(seen.top), row.settings.params.temperature};
    const own_tokens own{row.logits(made), row.vocabulary, scale};
    if (row.is_filtered())
      count_bins(made, row, own, memory);
    else
      draw(made, row, scale, own, memory, found);
    if (row.cuts_to_p() || row.settings.want_logprobs)
      found.mass = reduce_block(own.mass(), memory->keys, sum_of{});
  }
  if (thread() == 0)
    made.memory.measures[row.index * row.slices + block_x()] = found;
}

} // namespace

void start_measure(const call& made, stream& in) {
  const auto& logits = made.args.logits;
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(slices_of(logits.columns)),
          .grid_y = static_cast<std::uint32_t>(logits.rows),
          .threads = slice_threads,
          .shared_bytes = sizeof(measure_memory),
          .early = true},
         measure_kernel, made);
}

} // namespace sluice::cuda::sampling

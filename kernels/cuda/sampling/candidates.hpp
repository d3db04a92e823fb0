// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling/list_plan.hpp"

// What a block does with the tokens that may pass a row's filters, wherever
// they stand: in the list, or in the row itself when they are too many.

namespace sluice::cuda::sampling {

struct candidates {
  const rank_key* list; // or null
  const float* logits;
  std::int64_t count;
  scaling scale;
  int last_bin;

  SLUICE_DEVICE candidates(const call& made, const row_view& row,
                           const list_plan& plan, float top)
      : list{plan.fits() ? made.memory.list + row.index * list_room : nullptr},
        logits{row.logits(made)}, count{plan.fits() ? plan.listed
                                                    : row.vocabulary},
        scale{top, row.settings.params.temperature}, last_bin{plan.last_bin} {}

  /// The i-th, or 0 if that is none.
  SLUICE_DEVICE rank_key at(std::int64_t i) const {
    if (list)
      return list[i];
    if (logits[i] == forbidden)
      return 0;
    const float scaled = scale(logits[i]);
    return bin_of(scaled) <= last_bin
               ? key_of(scaled, static_cast<std::int32_t>(i))
               : 0;
  }
};

struct digit_memory {
  std::uint64_t weights[256];
  std::uint64_t wanted;
  std::uint32_t digit;
};

/// The first digit, from 255 down, with which the weights reach what is
/// wanted, and what is wanted of it alone. One warp calls it.
SLUICE_DEVICE void find_digit(digit_memory* memory) {
  constexpr int each = 256 / warp_lanes;
  const int first = 255 - each * lane(); // down
  std::uint64_t own = 0;
  for (int i = 0; i < each; ++i)
    own += memory->weights[first - i];
  const std::uint64_t wanted = memory->wanted;
  const std::uint64_t up_to = sum_up_to_lane(own);
  const int found =
      reduce_warp(up_to >= wanted ? lane() : warp_lanes - 1, smallest_of{});
  sync_warp();
  if (lane() != found)
    return;
  std::uint64_t before = up_to - own;
  int digit = first;
  while (digit > first - each + 1 && before + memory->weights[digit] < wanted) {
    before += memory->weights[digit];
    --digit;
  }
  memory->digit = static_cast<std::uint32_t>(digit);
  memory->wanted = wanted - before;
}

/// The candidate with which, in the order of rank, the weights reach `wanted`:
/// byte by byte, a histogram of the weights each. Sums of integers, so the
/// order of the candidates does not matter.
/// @param weigh  rank_key -> uint64; the sum over all is at least `wanted`.
template <class Weigh>
SLUICE_DEVICE rank_key select(const candidates& from, std::uint64_t wanted,
                              digit_memory* memory, Weigh weigh) {
  rank_key prefix = 0;
  if (thread() == 0)
    memory->wanted = wanted;
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (int i = thread(); i < 256; i += threads())
      memory->weights[i] = 0;
    sync_block();
    for (std::int64_t i = thread(); i < from.count; i += threads()) {
      const rank_key key = from.at(i);
      const bool fits = shift == 56 || key >> (shift + 8) == prefix;
      if (key != 0 && fits)
        atomic_add(memory->weights + (key >> shift & 255), weigh(key));
    }
    sync_block();
    if (warp() == 0)
      find_digit(memory);
    sync_block();
    prefix = prefix << 8 | memory->digit;
  }
  sync_block();
  return prefix;
}

/// What the filters keep.
struct kept_part {
  rank_key least = 0; // of top-k and top-p
  double lowest = 0;  // of min-p

  SLUICE_DEVICE bool has(rank_key key) const {
    return key != 0 && key >= least && logit_of(key) >= lowest;
  }
};

template <class Keep>
SLUICE_DEVICE fixed_mass mass_of_part(const candidates& from, Keep keep,
                                      std::uint64_t* room) {
  fixed_mass sum = 0;
  for (std::int64_t i = thread(); i < from.count; i += threads()) {
    const rank_key key = from.at(i);
    sum += keep(key) ? mass_of(logit_of(key)) : 0;
  }
  return reduce_block(sum, room, sum_of{});
}

/// top-k, then top-p of what it keeps, then min-p.
SLUICE_DEVICE kept_part filter(const call& made, const row_view& row,
                               const candidates& from, const list_plan& plan,
                               digit_memory* memory, std::uint64_t* room) {
  const auto& params = row.settings.params;
  kept_part kept;
  kept.lowest = least_of_min_p(row);
  const bool cuts_to_k = row.cuts_to_k() && params.top_k < plan.possible;
  if (cuts_to_k)
    kept.least = select(from, static_cast<std::uint64_t>(params.top_k), memory,
                        [](rank_key) { return std::uint64_t{1}; });
  if (!row.cuts_to_p())
    return kept;
  const auto before = [least = kept.least](rank_key key) {
    return key != 0 && key >= least;
  };
  const auto listed = mass_of_part(from, before, room);
  const auto all = row.cuts_to_k() ? listed : mass_of_row(made, row);
  const double wanted = static_cast<double>(all) * double{params.top_p};
  auto whole = static_cast<fixed_mass>(wanted);
  whole += static_cast<double>(whole) < wanted ? 1 : 0;
  if (whole < listed)
    kept.least = select(from, whole, memory, [&](rank_key key) {
      return before(key) ? mass_of(logit_of(key)) : fixed_mass{0};
    });
  return kept;
}

struct drawn_token {
  double value = 0;
  std::int32_t token = -1;
};

/// The largest scaled logit + noise of what is kept; the lowest id of equals.
/// @pre something is kept.
SLUICE_DEVICE drawn_token draw(const candidates& from, const kept_part& kept,
                               const noise_key& key, std::uint64_t* keys,
                               double* values, std::int32_t* tokens) {
  // The one of the largest bound, and where it stands.
  rank_key leader = 0;
  rank_key of_leader = 0;
  for (std::int64_t i = thread(); i < from.count; i += threads()) {
    const rank_key each = from.at(i);
    if (!kept.has(each))
      continue;
    const auto token = token_of(each);
    const rank_key bound =
        key_of(bound_of(logit_of(each), word_of(key, token)), token);
    if (bound > leader) {
      leader = bound;
      of_leader = each;
    }
  }
  const rank_key first = reduce_block(leader, keys, largest_of{});
  of_leader = reduce_block(leader == first ? of_leader : 0, keys, largest_of{});
  const auto first_token = token_of(of_leader);
  drawn_token best{value_of(logit_of(of_leader), word_of(key, first_token)),
                   first_token};
  const double least = best.value;
  for (std::int64_t i = thread(); i < from.count; i += threads()) {
    const rank_key each = from.at(i);
    if (!kept.has(each))
      continue;
    const auto token = token_of(each);
    const auto word = word_of(key, token);
    if (!may_reach(bound_of(logit_of(each), word), least))
      continue;
    const double value = value_of(logit_of(each), word);
    if (value > best.value || (value == best.value && token < best.token))
      best = {value, token};
  }
  const double value = reduce_block(best.value, values, largest_of{});
  constexpr std::int32_t none = 0x7fffffff;
  return {value, reduce_block(best.value == value ? best.token : none, tokens,
                              smallest_of{})};
}

} // namespace sluice::cuda::sampling

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"

namespace sluice {

/// A token that may still be drawn, with its logit so far.
struct candidate {
  float logit;
  std::int32_t token;
};

using candidate_list = std::span<candidate>;

/// Sorts the `count` largest to the front; equal logits stand in id order.
void sort_largest(candidate_list list, std::size_t count);

/// Moves the candidates above -infinity to the front, in id order.
candidate_list keep_possible(candidate_list list);

/// logit = (logit - largest) / temperature, so that the largest becomes 0.
void apply_temperature(candidate_list list, float temperature);

// The filters reorder `list` and return the part that stays. Equal logits
// stand in id order, so every result is unique.

/// The k largest, sorted; all, unsorted, when k is 0 or reaches the size.
candidate_list keep_top_k(candidate_list list, std::int32_t k);

/// The fewest largest whose share of exp(logit) is at least top_p, sorted;
/// all when top_p is 1.
candidate_list keep_top_p(candidate_list list, float top_p);

/// Those with exp(logit) >= min_p, the largest logit being 0.
candidate_list keep_min_p(candidate_list list, float min_p);

/// The candidate of the largest logit; the lowest id of equals.
const candidate& largest(candidate_list list);

/// What no token's noise exceeds.
inline constexpr double most_noise = 22.9;

/// The candidate of the largest logit + noise; the lowest id of equals.
const candidate& draw(candidate_list list, const sample_key& key);

/// sum(exp(logit)) in double, in the order of the list.
double mass(candidate_list list);

} // namespace sluice

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

/// Repetition, frequency and presence penalties.
/// @param all  the whole vocabulary, all[t].token == t.
void apply_penalties(candidate_list all, const sampling_params& params,
                     std::span<const token_count> counts);

/// Adds the biases; `all` as in apply_penalties.
void apply_bias(candidate_list all, std::span<const logit_bias> bias);

/// Sets what the mask forbids to -infinity; an empty mask forbids nothing.
void apply_mask(candidate_list all, std::span<const std::uint64_t> allowed);

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

/// The candidate of the largest logit + noise; the lowest id of equals.
const candidate& draw(candidate_list list, const sample_key& key);

/// log(sum(exp(logit))) in double, for logits of at most 0.
double log_sum_exp(candidate_list list);

} // namespace sluice

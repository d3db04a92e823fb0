// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling/candidates.hpp"

namespace sluice {

// The steps of `sample` that its plain and its vectorised form share.

/// The parts of a workspace.
struct sample_memory {
  candidate_list room;      // [vocabulary]
  std::span<float> changed; // [vocabulary]
  std::span<float> largest; // [logit_blocks(vocabulary)]
  std::span<float> order;   // [logit_blocks(vocabulary)]
};

/// @pre check(args) passed.
sample_memory split_workspace(const sample_args& args);

/// Whether the request changes any logit before the filters.
bool changes_logits(const sample_args& args);

/// Penalties, then bias, then mask, for the tokens that they name alone.
/// @param to  receives the changed row; -infinity forbids a token.
void change_logits(const sample_args& args, std::span<float> to);

/// Lists every possible token, filters and draws: the definition that every
/// shorter way must agree with in all bits.
/// @param row     ordered logits, the largest above -infinity.
/// @param room    [vocabulary], overwritten.
/// @param result  receives the token and, if wanted, its logprob.
void choose_among_all(std::span<const float> row, const sample_args& args,
                      candidate_list room, sampled& result);

/// Draws from what the filters kept; the last step of every way.
void draw_among(candidate_list kept, const sample_args& args, sampled& result);

/// Fills raw_logprob and `top` if they are wanted.
void add_raw_logprobs(const sample_args& args, sampled& result);

} // namespace sluice

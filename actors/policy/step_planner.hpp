// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "actors/policy/cost_model.hpp"

namespace sluice::policy {

/// What bounds a step.
struct step_budget {
  std::uint32_t step_tokens = 512; // most positions
  instant itl_target{0};           // longest step while streams decode; 0: any
  // What prompts may add to a step in any case, as a part of what its decodes
  // take: 0.25 leaves the streams 80 % of their rate.
  double prompt_share = 0.25;
};

/// A prompt that is not computed to its end.
struct open_prompt {
  std::uint32_t start = 0;     // first position that is not planned
  std::uint32_t remaining = 0; // positions up to its end; at least one
};

/// Fills a step: decodes first, prompt chunks in what they leave.
///
/// Chunks share the step in order of the fewest positions left, so that short
/// prompts are not held up for the minutes that a long one takes at a small
/// budget; every fourth step goes by arrival, so that short ones do not starve
/// a long one either. While streams decode, a step is predicted to end within
/// `itl_target`, or within 1 + prompt_share of what its decodes take if that is
/// longer. If not even one position fits, the share is saved up from step to
/// step until it pays for some. Without decodes nobody waits for a token, and
/// only step_tokens bounds.
///
/// A cut chunk makes the step's rows a multiple of `panel_rows`: kernels take
/// rows by panels, and a panel that is not full costs as much.
class step_planner {
public:
  static constexpr std::uint32_t panel_rows = 16;
  static constexpr std::uint32_t arrival_every = 4; // steps with prompts

  explicit step_planner(step_budget budget) : budget_{budget} {}

  /// How many positions of each prompt the next step takes; zero for some.
  /// @param decodes  all decode rows of the step. At step_tokens of them there
  ///                 is no room for prompts.
  /// @param prompts  in order of arrival.
  /// @return as many numbers as prompts.
  std::vector<std::uint32_t> share(const step_shape& decodes,
                                   std::span<const open_prompt> prompts,
                                   const cost_model& costs);

private:
  bool is_timed(const step_shape& decodes) const;
  instant limit_of(const step_shape& decodes, const cost_model& costs) const;
  std::uint32_t savings_buy(const step_shape& decodes,
                            const open_prompt& prompt, const cost_model& costs);
  std::vector<std::size_t> order_of(std::span<const open_prompt> prompts);

  step_budget budget_;
  instant saved_{0}; // what the prompts' share has come to
  std::uint32_t turn_ = 0;
};

} // namespace sluice::policy

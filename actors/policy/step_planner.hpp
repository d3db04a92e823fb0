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
  // Of the time, what decodes keep while prompts wait; above 0, at most 1.
  double decode_share = 0.78;
};

/// A prompt that is not computed to its end.
struct open_prompt {
  std::uint32_t start = 0;     // first position that is not planned
  std::uint32_t remaining = 0; // positions up to its end; at least one
};

/// Fills a step: decodes first, prompt chunks in what they leave.
///
/// Without a target only step_tokens bounds. With one a step without decodes
/// ends within four times as long: somebody may come who waits for it, above
/// all the next requests of clients whose streams just ended. While streams
/// decode, two bounds hold:
///
/// - A step is predicted to end within `itl_target`; where decodes alone take
///   about as long or longer, with what they grant, half of their time at most.
/// - Chunks are bought with time that decodes have granted: each step of theirs
///   adds (1 - decode_share) / decode_share of its length. What nobody needs is
///   kept, for two long steps at most, so that short prompts need not wait.
///
/// A chunk has a price of its own, the reading of the KV before it. Chunks are
/// therefore as long as the target allows, one when enough is saved rather than
/// a little in every step; and where a single position takes more than half of
/// what the target leaves, a chunk may take twice as long as that position even
/// past the target: else reading again would eat what the prompt is granted.
///
/// Chunks share a step in order of the fewest positions left, so that short
/// prompts are not held up for the minutes that a long one takes at a small
/// budget; every fourth step with chunks goes by arrival, so that short ones do
/// not starve a long one either.
///
/// A cut chunk makes the step's rows a multiple of `panel_rows`: kernels take
/// rows by panels, and a panel that is not full costs as much.
class step_planner {
public:
  static constexpr std::uint32_t panel_rows = 16;
  static constexpr std::uint32_t arrival_every = 4; // steps with prompts
  static constexpr int idle_targets = 4;            // see above

  explicit step_planner(step_budget budget)
      : budget_{budget}, saved_{most_idle()} {}

  /// How many positions of each prompt the next step takes; zero for some.
  /// To be asked for every step, also without prompts: its decodes grant time.
  /// @param decodes  all decode rows of the step. At step_tokens of them there
  ///                 is no room for prompts.
  /// @param prompts  in order of arrival.
  /// @return as many numbers as prompts.
  std::vector<std::uint32_t> share(const step_shape& decodes,
                                   std::span<const open_prompt> prompts,
                                   const cost_model& costs);

private:
  using chunks = std::vector<std::uint32_t>;

  bool is_timed(const step_shape& decodes) const;
  instant most_idle() const { return budget_.itl_target * 2; }
  instant granted_by(instant decodes) const;
  instant idle_limit(const open_prompt& first, const cost_model& costs) const;
  void fill(chunks& lengths, const step_shape& decodes,
            std::span<const open_prompt> prompts,
            std::span<const std::size_t> order, instant end,
            const cost_model& costs) const;
  void buy(chunks& lengths, const step_shape& decodes,
           std::span<const open_prompt> prompts,
           std::span<const std::size_t> order, const cost_model& costs);
  std::vector<std::size_t> order_of(std::span<const open_prompt> prompts) const;

  step_budget budget_;
  instant saved_;          // granted and not spent
  std::uint32_t turn_ = 1; // of a step with chunks
};

} // namespace sluice::policy

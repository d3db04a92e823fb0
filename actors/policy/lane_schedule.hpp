// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "actors/policy/step_planner.hpp"

namespace sluice::policy {

/// How a lane cuts its work into steps.
struct lane_limits {
  std::uint32_t context_tokens = 0;
  std::uint32_t step_tokens = 512;  // most positions in one step
  std::uint32_t pipeline_depth = 2; // plans on their way at once
  instant itl_target{0};            // longest step of decodes; 0: any
  double prompt_share = 0.25;       // see step_budget
  cost_coefficients costs;          // to start from

  step_budget budget() const { return {step_tokens, itl_target, prompt_share}; }
};

/// What of a sequence's prompt is scored: how likely each token is after those
/// before it. Scores need logits: KV that is there already can stand in for
/// the positions before `from - 1` only.
struct prompt_scoring {
  std::uint32_t from = 0; // index in the prompt of the first; 0: none
  bool only = false;      // nothing is generated: the last token needs no KV
};

/// The token that row `row` of plan `plan` samples last.
struct row_reference {
  std::uint64_t plan = 0;
  std::uint32_t row = 0;

  bool operator==(const row_reference&) const = default;
};

/// One run of positions of a sequence: a prompt chunk or a decode.
struct planned_row {
  std::uint64_t sequence = 0;
  std::uint32_t start = 0;           // position of the first token
  std::vector<std::uint32_t> tokens; // empty: one token, named by `from`
  row_reference from;
  bool sampled = false;         // the last position's successor is sampled
  bool joins = false;           // the sequence's first row
  std::uint32_t score_from = 0; // offset of the first scored position
  std::vector<std::uint32_t> next_tokens; // after each scored position

  std::uint32_t length() const {
    return tokens.empty() ? 1 : static_cast<std::uint32_t>(tokens.size());
  }
  std::uint32_t end() const { return start + length(); }
  std::uint32_t logits() const { // positions whose logits are computed
    return static_cast<std::uint32_t>(next_tokens.size()) + (sampled ? 1 : 0);
  }
};

struct step_draft {
  std::uint64_t number = 0;
  std::vector<planned_row> rows;
};

/// How long a plan was thought to take when it was made, and did take.
struct step_timing {
  step_shape shape;
  instant predicted{0};
  instant took{0};
};

/// A row of a finished plan whose token still matters.
struct live_row {
  std::uint32_t row = 0;
  std::uint64_t sequence = 0;
  bool sampled = false;
  std::uint32_t scores = 0; // scored positions
  bool completes = false;   // the last row of a sequence that is only scored
};

/// The running sequences of one lane and the plans on their way.
///
/// Sequences join and leave at every step. A step takes the decodes first, one
/// position each, then prompt chunks as step_planner shares the rest out. If
/// there are more decodes than a step holds, they take turns.
/// Plan n + 1 may be made before the result of plan n is known: its decode
/// rows then name their token by reference. What a plan computed for a
/// sequence that has ended meanwhile is discarded.
///
///   draft() -> pages are asked for -> confirm() -> executor -> result()
///
/// No CAF, clock or I/O.
class lane_schedule {
public:
  explicit lane_schedule(lane_limits limits)
      : limits_{limits}, costs_{limits.costs}, planner_{limits.budget()} {}

  /// A new sequence; its first row comes with a later draft().
  /// @param prompt      at least one token, fewer than the context.
  ///                    If it is only scored: at least two, and as many as
  ///                    the context.
  /// @param max_tokens  to generate; 0: until the context is full.
  void join(std::uint64_t sequence, std::vector<std::uint32_t> prompt,
            std::uint32_t max_tokens, prompt_scoring scoring = {});

  /// No further rows for it; unknown sequences are ignored.
  void end(std::uint64_t sequence);

  /// The next step, or nothing if the pipeline is full or nobody has work.
  std::optional<step_draft> draft();

  /// Makes a draft a plan on its way; sequences that must wait for pages are
  /// taken out of it first. A draft that is left empty is no plan, but its
  /// number is spent.
  /// @return false if it was left empty.
  bool confirm(step_draft& draft, std::span<const std::uint64_t> waiting);

  /// Learns what the oldest plan on its way took to compute; comes before
  /// result().
  /// @return nothing if that is not the oldest plan or no time is given.
  std::optional<step_timing> measured(std::uint64_t plan, instant took);

  /// A plan is done: its rows whose sequences still run.
  /// @pre plans finish in the order in which they were confirmed.
  std::vector<live_row> result(std::uint64_t plan);

  /// The token sampled for a sequence.
  /// @return true if it may generate no more (its length is reached).
  bool append(std::uint64_t sequence, std::uint32_t token);

  /// Tokens of the sequence so far, the prompt first.
  const std::vector<std::uint32_t>& tokens(std::uint64_t sequence) const;

  /// Number that the next draft has.
  std::uint64_t next_plan() const { return next_plan_; }

  /// Every plan up to this one is done.
  std::uint64_t finished_plan() const {
    return (plans_.empty() ? next_plan_ : plans_.front().number) - 1;
  }

  /// What steps of this lane cost, as learned so far.
  const cost_model& costs() const noexcept { return costs_; }

  std::uint32_t sequences() const {
    return static_cast<std::uint32_t>(running_.size());
  }
  std::uint32_t plans_on_their_way() const {
    return static_cast<std::uint32_t>(plans_.size());
  }

private:
  struct running_sequence {
    std::uint64_t key = 0;
    std::vector<std::uint32_t> tokens; // known: prompt, then results
    std::uint32_t prompt_tokens = 0;   // that need KV
    std::uint32_t given_tokens = 0;    // of the prompt, all in all
    prompt_scoring scoring;
    std::uint32_t max_tokens = 0;
    std::uint32_t planned = 0; // positions that confirmed plans cover
    std::uint32_t samples = 0; // tokens that confirmed plans sample
    row_reference last_sample;
    bool joined = false;

    bool in_prompt() const { return planned < prompt_tokens; }
    bool wants_row() const { return in_prompt() || samples < max_tokens; }
  };

  struct plan_record {
    std::uint64_t number = 0;
    std::vector<live_row> rows;
    step_shape shape;
    instant predicted{0};
  };

  planned_row decode_row(const running_sequence& s) const;
  static void add_scores(planned_row& row, const running_sequence& s);
  live_row live_row_of(const planned_row& row, std::uint32_t index) const;
  planned_row prompt_row(const running_sequence& s, std::uint32_t length) const;
  void add_decodes(step_draft& draft, std::uint32_t most) const;
  void add_prompts(step_draft& draft);
  void commit(const planned_row& row, row_reference where);

  lane_limits limits_;
  cost_model costs_;
  step_planner planner_;
  std::vector<std::unique_ptr<running_sequence>> running_; // by arrival
  std::unordered_map<std::uint64_t, running_sequence*> by_key_;
  std::deque<plan_record> plans_;
  std::uint64_t next_plan_ = 1;
};

} // namespace sluice::policy

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "actors/policy/preemption.hpp"
#include "actors/policy/scheduled_sequence.hpp"
#include "actors/policy/step_planner.hpp"

namespace sluice::policy {

/// How a lane cuts its work into steps.
struct lane_limits {
  std::uint32_t context_tokens = 0;
  std::uint32_t step_tokens = 512;  // most positions in one step
  std::uint32_t pipeline_depth = 2; // plans on their way at once
  std::uint32_t page_tokens = 16;   // positions per KV page
  instant itl_target{0};            // longest step of decodes; 0: any
  double decode_share = 0.78;       // see step_budget
  cost_coefficients costs;          // to start from

  step_budget budget() const { return {step_tokens, itl_target, decode_share}; }
};

/// Asks for the pages of a sequence that comes, or comes back.
struct entry_wish {
  std::uint64_t sequence = 0;
  std::uint32_t most_cached = 0; // positions that may have KV from elsewhere
  std::uint64_t parent = 0;      // that has the same prompt; 0: nobody
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

/// What a lane had on a device that was lost.
struct lane_losses {
  std::vector<std::uint64_t> held;  // sequences with pages or host slots
  std::vector<std::uint64_t> named; // sequences with rows in plans on their way
};

/// A row of a finished plan whose token still matters.
struct live_row {
  std::uint32_t row = 0;
  std::uint64_t sequence = 0;
  bool sampled = false;
  std::uint32_t end = 0;    // its positions, and those before, have their KV
  std::uint32_t scores = 0; // scored positions
  bool completes = false;   // the last row of a sequence that is only scored
};

/// The running sequences of one lane and the plans on their way.
///
/// Sequences join and leave at every step. A step takes the decodes first, one
/// position each, then prompt chunks as step_planner shares the rest out. If
/// there are more decodes than a step holds, they take turns.
/// A sequence has rows while it is inside. It enters with the pages that others
/// have computed for it, may have to give way when pages run out, and comes
/// back. Siblings of a request enter when the first has computed their prompt.
/// Plan n + 1 may be made before the result of plan n is known: its decode
/// rows then name their token by reference. What a plan computed for a
/// sequence that has ended meanwhile is discarded.
///
/// Sequences of a group (the beams of a search) need each other's tokens to go
/// on: a row names its token by value, which append() or fork() has given. They
/// hold a rank together, give way together and come back together, computed
/// again: one leads, and when it has its KV the others follow with the pages of
/// what they have in common. So a group never needs more pages than the prompt
/// once and the rest for each, and one of them never waits inside for one that
/// cannot come back.
///
///   join() -> wishes() -> enter()
///   draft() -> pages are asked for -> confirm() -> executor -> result()
///   give_way() -> seekers() -> ask_again() or come_back()
///
/// No CAF, clock or I/O. Unknown sequences are ignored: they may have ended.
class lane_schedule {
public:
  explicit lane_schedule(lane_limits limits)
      : limits_{limits}, costs_{limits.costs}, planner_{limits.budget()} {}

  /// A new sequence, behind all others of its priority.
  void join(new_sequence sequence);

  /// A sequence of a group goes on as two: the new one has its tokens and one
  /// more. Sharing needs what it has computed.
  void fork(std::uint64_t parent, std::uint64_t child, std::uint32_t token);

  /// Who can enter as soon as it has pages; each is told once.
  std::vector<entry_wish> wishes();

  /// A sequence that wished has pages with the KV of its first positions.
  void enter(std::uint64_t sequence, std::uint32_t computed);

  /// No further rows for it.
  void end(std::uint64_t sequence);

  /// The next step, or nothing if the pipeline is full or nobody has work.
  /// @param even_empty  a step without rows will do.
  std::optional<step_draft> draft(bool even_empty = false);

  /// Makes a draft a plan on its way; sequences that must wait for pages are
  /// taken out of it first. A draft that is left empty is no plan, but its
  /// number is spent.
  /// @param even_empty  a plan without rows is one too.
  /// @return false if it is no plan.
  bool confirm(step_draft& draft, std::span<const std::uint64_t> waiting,
               bool even_empty = false);

  // -- giving way, and coming back

  /// Who holds pages, and what they are worth; the highest-ranked first. A
  /// group is named by one of it.
  std::vector<page_holder> holders() const;

  /// Who gave way, and no plan on its way names.
  std::vector<page_seeker> seekers() const;

  /// It loses its pages: no rows until it is back. So do all of its group.
  /// @return those that had pages.
  std::vector<std::uint64_t> give_way(std::uint64_t sequence,
                                      enum give_way how);

  /// Who stands for the sequence in holders().
  std::uint64_t unit_of(std::uint64_t sequence) const;

  /// One whose KV was dropped wishes to enter again.
  void ask_again(std::uint64_t sequence);

  /// One whose KV was in host memory has pages again.
  void come_back(std::uint64_t sequence);

  bool is_swapped(std::uint64_t sequence) const;

  /// Sequences that gave way and are not back.
  std::uint32_t outside() const;

  /// The device was lost: nothing has KV any more, and plans on their way are
  /// void and count as done. Everybody is outside and comes back as after
  /// giving way, those that wait for their parent behind it. Nobody may have
  /// asked for pages and not been answered.
  lane_losses start_over();

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

  std::vector<std::uint64_t> keys() const;
  std::uint32_t sequences() const {
    return static_cast<std::uint32_t>(running_.size());
  }
  bool has_room() const { // for one more plan
    return plans_.size() < limits_.pipeline_depth;
  }
  std::uint32_t plans_on_their_way() const {
    return static_cast<std::uint32_t>(plans_.size());
  }

private:
  using unit = std::span<const std::unique_ptr<scheduled_sequence>>;

  struct plan_record {
    std::uint64_t number = 0;
    std::vector<live_row> rows;
    step_shape shape;
    instant predicted{0};
  };

  scheduled_sequence* find(std::uint64_t sequence) const;
  bool may_enter(const scheduled_sequence& s) const;
  /// A group, or one that is in none; they stand side by side.
  unit unit_at(std::size_t index) const;
  unit unit_with(std::uint64_t sequence) const;
  page_holder holder_of(unit all) const;
  page_seeker seeker_of(unit all) const;
  std::uint32_t shared_pages(unit all) const;
  std::uint32_t pages_for(std::uint32_t tokens) const;
  live_row live_row_of(const planned_row& row, std::uint32_t index) const;
  void add_decodes(step_draft& draft, std::uint32_t most) const;
  void add_prompts(step_draft& draft);

  lane_limits limits_;
  cost_model costs_;
  step_planner planner_;
  // By priority, then arrival.
  std::vector<std::unique_ptr<scheduled_sequence>> running_;
  std::unordered_map<std::uint64_t, scheduled_sequence*> by_key_;
  std::deque<plan_record> plans_;
  std::uint64_t next_plan_ = 1;
  std::uint64_t next_order_ = 0;
};

} // namespace sluice::policy

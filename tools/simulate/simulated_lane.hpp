// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "actors/policy/admission.hpp"
#include "actors/policy/lane_schedule.hpp"
#include "actors/policy/preemption.hpp"
#include "tools/simulate/arrivals.hpp"
#include "tools/simulate/tally.hpp"

namespace sluice::simulate {

struct lane_settings {
  policy::lane_capacity capacity;
  policy::lane_limits limits;
  policy::cost_coefficients machine; // what steps take in truth
  instant overhead{0};               // between two steps
  std::uint32_t least_progress = 64; // see preemption_rules
  bool prefix_cache = false;
};

/// A lane without tokens: the daemon's policies, a count of pages instead of a
/// memory, a formula instead of an executor.
///
/// Simpler than the daemon: a cached prefix is never evicted and takes no
/// pages; sequences that give way are computed again, never swapped, and their
/// pages are free at once.
class simulated_lane {
public:
  simulated_lane(const lane_settings& settings, tally& counts);

  /// A request comes.
  void offer(const arrival& asked, instant now);

  /// When the step at hand ends; nothing if none runs.
  std::optional<instant> step_ends() const { return ends_; }

  /// The step at hand has ended.
  /// @pre now == *step_ends().
  void step_done(instant now);

  /// Requests that wait, run or gave way.
  std::size_t load() const { return requests_.size(); }
  std::uint32_t free_pages() const { return free_; }

private:
  struct state {
    arrival asked;
    std::uint32_t cached = 0;    // of the prompt, never computed here
    std::uint32_t generated = 0; // tokens
    std::uint32_t progress = 0;  // positions since it started or came back
    std::uint32_t covered = 0;   // positions that plans cover
    std::uint32_t pages = 0;
    std::uint64_t rank = 0; // order of admission
    instant first{0};
    instant last{0};
  };

  void go_on(instant now);
  void start_ready();
  void bring_back();
  void join(std::uint64_t request, const state& s);
  bool plan();
  std::vector<std::uint64_t> take_pages(const policy::step_draft& draft);
  void preempt(std::uint32_t missing);
  void run_next(instant now);
  instant time_of(const policy::step_draft& draft);
  void take_token(std::uint64_t request, instant now);
  void finish(std::uint64_t request, instant now);
  std::uint32_t hit_of(const arrival& asked) const;
  std::uint32_t pages_for(std::uint32_t positions) const;
  policy::preemption_rules rules() const;

  lane_settings settings_;
  tally& counts_;
  policy::admission admission_;
  policy::lane_schedule schedule_;
  policy::cost_model machine_;
  std::map<std::uint64_t, state> requests_; // known here
  std::set<std::uint64_t> running_;         // in the schedule
  std::set<std::uint64_t> gave_way_;
  std::set<std::pair<std::string, std::uint32_t>> cached_groups_;
  std::deque<policy::step_draft> planned_; // the first one runs
  std::optional<instant> ends_;
  instant took_{0}; // the step that runs
  std::uint32_t free_ = 0;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_rank_ = 0;
};

} // namespace sluice::simulate

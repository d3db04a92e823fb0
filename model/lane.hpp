// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages/lane_generated.h"
#include "model/compute_device.hpp"
#include "model/lane_batch.hpp"
#include "model/lane_options.hpp"
#include "model/lane_sequence.hpp"
#include "model/step_answer.hpp"

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice {

/// What others must know of a lane.
struct lane_facts {
  std::string model;
  std::uint32_t context = 0; // longest sequence in tokens
  std::uint32_t vocab = 0;
  std::uint32_t page_tokens = 0;
  std::uint32_t kv_pages = 0;
  std::uint32_t max_step_tokens = 0;
  std::uint64_t kv_bytes = 0;
  std::uint64_t page_bytes = 0; // of one KV page
  std::uint32_t host_slots = 0;
  std::uint64_t weight_bytes = 0;
  std::string isa; // name of the kernels' instruction set, or of the GPU
};

/// One loaded model on a device, and the state of every sequence that plans
/// have named. Sampled tokens live here, so that a plan can be made before the
/// result of the plan before it is known.
class lane {
public:
  /// @param progress  as compute_device::make_lane().
  /// @throws contract_violation for impossible options, memory_error if the
  ///         KV store or the scratch memory cannot be had.
  lane(std::shared_ptr<const loaded_model> model, const lane_options& options,
       compute_device& device, const progress_fn& progress = {});

  /// Starts one plan: sequences leave, pages move, sequences join, page tables
  /// grow, all rows go through one forward pass. A row that breaks a rule
  /// changes nothing and gets a code; the others do not notice.
  /// A row may go on with the token that a step under way is choosing: it is
  /// handed over on the device, and no start waits for it.
  /// @param plan      stays where it is until the step is finished.
  /// @param observer  may be empty.
  /// @param answer    by the finish it has an answer for each row, and the
  ///                  times; it stays where it is until then.
  /// @return as lane_device::start().
  /// @throws contract_violation, std::bad_alloc: the step failed as a whole,
  ///         its rows are taken back and there is nothing to finish.
  /// @note   allocates nothing, unless sequences join or leave, a step is
  ///         wider than any before, or a row fails.
  const step_end* start(const messages::StepPlan& plan,
                        const logits_observer& observer, step_answer& answer);

  /// Waits for the oldest step that has been started.
  /// @throws what the device says: the step failed as a whole and its rows are
  ///         taken back. A step that was started upon it fails with it.
  void finish();

  /// Replaces every sequence; no position has KV afterwards.
  /// @throws contract_violation if a step is under way.
  void attach(const messages::Attach& state);

  lane_facts facts() const;

private:
  /// The token each row of a plan sampled last; no_token if it sampled none.
  struct sampled_plan {
    std::uint64_t number = 0; // plans count from 1
    std::vector<std::int32_t> last;
  };
  static constexpr std::size_t remembered_plans = 64;
  static constexpr std::int32_t no_token = -1;

  using sequence_map = std::unordered_map<std::uint64_t, lane_sequence>;

  /// A row that goes on with a token which nobody knew when it was started.
  struct borrower {
    std::uint32_t row = 0; // of the plan
    std::uint64_t from_plan = 0;
    std::uint32_t from_row = 0;
  };

  /// A row that stands on positions which have been taken back since.
  struct stranded_row {
    std::uint32_t row = 0; // of the plan
    std::string text;
  };

  /// A step from its start to its finish.
  struct flight {
    explicit flight(const batch_limits& limits) : batch{limits} {}

    lane_batch batch;
    step_answer* answer = nullptr;
    std::uint64_t number = 0; // of its plan
    const step_end* end = nullptr;
    bool settled = false; // the answer is there, or the failure
    std::exception_ptr failure;
    std::vector<borrower> borrowers; // ascending
    std::vector<stranded_row> stranded;
    std::vector<sequence_map::node_type> departed; // that its rows may name
  };

  flight& newest() {
    return flights_[(oldest_ + started_ - 1) % flights_.size()];
  }
  std::uint32_t place_of(const flight& step) const {
    return static_cast<std::uint32_t>(&step - flights_.data());
  }
  void update_sequences(const messages::StepPlan& plan);
  void join(const messages::SequenceState& state);
  void forget(std::uint64_t key);
  void add_row(flight& step, const messages::PlanRow& row, std::uint32_t index);
  void find_token(const messages::PlanRow& row, row_request& request);
  flight* under_way(std::uint64_t plan);
  bool is_lost(const flight& step, std::uint32_t row) const;
  const std::int32_t* sampled_token(std::uint64_t plan,
                                    std::uint32_t row) const;
  void start(flight& step, const messages::StepPlan& plan,
             const logits_observer& observer);
  void settle(flight& step);
  void fail_orphans(flight& step);
  void take_back(flight& step, const batch_row& row);
  void fail_stranded(flight& step);
  void remember(const step_answer& answer);
  void tell_borrowers(const flight& giver);

  const architecture& arch() const { return model_->arch; }

  lane_options options_;
  std::shared_ptr<const loaded_model> model_;
  std::unique_ptr<lane_device> device_;
  std::array<flight, most_started_steps> flights_; // from oldest_, started_
  std::uint32_t oldest_ = 0;
  std::uint32_t started_ = 0;
  sequence_map sequences_;
  std::array<sampled_plan, remembered_plans> recent_;
  std::size_t next_recent_ = 0; // the oldest, to be overwritten
  std::string device_name_;
};

} // namespace sluice

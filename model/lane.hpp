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
/// have named. Penalty counts and sampled tokens live here, so that a
/// plan can be made before the result of the plan before it is known.
class lane {
public:
  /// @throws contract_violation for impossible options, memory_error if the
  ///         KV store or the scratch memory cannot be had.
  lane(std::shared_ptr<const loaded_model> model, const lane_options& options,
       compute_device& device);

  /// Runs one plan: sequences leave, pages move, sequences join, page tables
  /// grow, all rows go through one forward pass. A row that breaks a rule
  /// changes nothing and gets a code; the others do not notice.
  /// @param observer  may be empty.
  /// @param answer  receives an answer for each row, and the times.
  /// @throws contract_violation, std::bad_alloc: the step failed as a whole
  ///         and its rows are taken back.
  /// @note   allocates nothing, unless sequences join or leave, a step is
  ///         wider than any before, or a row fails.
  void step(const messages::StepPlan& plan, const logits_observer& observer,
            step_answer& answer);

  /// Replaces every sequence; no position has KV afterwards.
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

  void move_pages(const messages::StepPlan& plan, step_answer& answer);
  void update_sequences(const messages::StepPlan& plan);
  void join(const messages::SequenceState& state);
  void add_row(const messages::PlanRow& row, std::uint32_t index,
               row_answer& answer);
  std::span<const std::int32_t> row_tokens(const messages::PlanRow& row) const;
  void run_batch(const logits_observer& observer, step_answer& answer);
  void remember(const step_answer& answer);

  const architecture& arch() const { return model_->arch; }

  lane_options options_;
  std::shared_ptr<const loaded_model> model_;
  std::unique_ptr<lane_device> device_;
  lane_batch batch_;
  std::unordered_map<std::uint64_t, lane_sequence> sequences_;
  std::array<sampled_plan, remembered_plans> recent_;
  std::size_t next_recent_ = 0; // the oldest, to be overwritten
  std::string device_name_;
};

} // namespace sluice

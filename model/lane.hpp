// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_store.hpp"
#include "messages/lane_generated.h"
#include "model/lane_batch.hpp"
#include "model/lane_sequence.hpp"
#include "model/sampler.hpp"
#include "model/transformer.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice {

struct lane_options {
  std::uint32_t kv_pages = 0;          // pages of the KV store, > 0
  std::uint32_t page_tokens = 16;      // a power of two, 8..128
  dtype kv_type = dtype::f16;          // f32, f16, bf16 or i8
  std::uint32_t max_step_tokens = 512; // positions of one plan, > 0
};

/// What others must know of a lane.
struct lane_facts {
  std::string model;
  std::uint32_t context = 0; // longest sequence in tokens
  std::uint32_t vocab = 0;
  std::uint32_t page_tokens = 0;
  std::uint32_t kv_pages = 0;
  std::uint32_t max_step_tokens = 0;
  std::uint64_t kv_bytes = 0;
  std::uint64_t weight_bytes = 0;
  std::string isa; // name of the kernels' instruction set
};

/// One loaded model with its KV bytes and the state of every sequence that
/// plans have named. Penalty counts and sampled tokens live here, so that a
/// plan can be made before the result of the plan before it is known.
class lane {
public:
  /// @throws contract_violation for impossible options, memory_error if the
  ///         KV store or the scratch memory cannot be had.
  lane(std::shared_ptr<const loaded_model> model, const lane_options& options,
       const op_table& ops);

  /// Runs one plan: sequences leave and join, page tables grow, all rows go
  /// through one forward pass. A row that breaks a rule changes nothing and
  /// gets a code; the others do not notice.
  /// @throws contract_violation, std::bad_alloc: the step failed as a whole
  ///         and its rows are taken back.
  messages::StepResultT step(const messages::StepPlan& plan, thread_pool& pool,
                             const logits_observer& observer);

  /// Replaces every sequence; no position has KV afterwards.
  void attach(const messages::Attach& state);

  lane_facts facts() const;

private:
  /// The token each row of a plan sampled last; nothing if it sampled none.
  struct sampled_plan {
    std::uint64_t number;
    std::vector<std::optional<std::uint32_t>> last;
  };

  void update_sequences(const messages::StepPlan& plan);
  void join(const messages::SequenceState& state);
  void add_row(const messages::PlanRow& row, messages::StepResultT& result);
  std::vector<std::int32_t> row_tokens(const messages::PlanRow& row) const;
  void run_batch(messages::StepResultT& result, thread_pool& pool,
                 const logits_observer& observer);
  void remember(const messages::StepResultT& result);

  const architecture& arch() const { return transformer_.model().arch; }

  lane_options options_;
  transformer transformer_;
  kv_store cache_;
  transformer_scratch scratch_;
  lane_batch batch_;
  sampler sampler_;
  std::unordered_map<std::uint64_t, lane_sequence> sequences_;
  std::deque<sampled_plan> recent_; // newest last
  std::string isa_;
};

} // namespace sluice

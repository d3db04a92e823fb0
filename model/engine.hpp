// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "kernels/thread_pool.hpp"
#include "messages/frame.hpp"
#include "model/lane.hpp"
#include "model/loaded_model.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace sluice {

struct engine_options {
  int threads = 1;                    // the caller included
  std::optional<instruction_set> isa; // nothing: the best of this CPU
  bool pin = false;                   // bind threads to CPUs, if those suffice
};

/// The work of one device: its threads, its kernels and its lanes. Takes plans
/// and gives results; knows no actor and no other process.
/// @note one calling thread at a time.
class engine {
public:
  /// @throws contract_violation if the CPU lacks `isa` or threads is absurd.
  explicit engine(engine_options options);

  /// How this device's kernels want their weights: for load_options.
  const weight_packing& packing() const noexcept { return ops_->packing; }

  /// Hosts one more model. Plans name lanes by the returned number, from 0 up.
  /// @throws contract_violation, memory_error if the KV store is impossible.
  std::uint32_t add_lane(std::shared_ptr<const loaded_model> model,
                         const lane_options& options);

  /// Runs one plan. A mistake in a row is the answer of that row alone; what
  /// breaks the whole step is the result's code. Never throws on a bad plan.
  messages::frame<messages::StepResult> step(const messages::StepPlan& plan);

  /// Replaces every sequence of a lane; no position has KV afterwards.
  /// @throws contract_violation for an unknown lane.
  void attach(const messages::Attach& state);

  /// @throws contract_violation for an unknown lane.
  lane_facts facts(std::uint32_t lane) const;

  /// Binds the thread that will call step(), if threads are bound. Threads that
  /// it starts afterwards would be bound to the same CPU.
  void pin_caller() const { pool_.pin_caller(); }

  /// Undoes pin_caller().
  void unpin_caller() const { pool_.unpin_caller(); }

  /// Calls `observer` with every row of logits before it is sampled; for tests
  /// and scoring. An empty function ends it.
  void observe(logits_observer observer);

  std::uint32_t lanes() const noexcept {
    return static_cast<std::uint32_t>(lanes_.size());
  }

private:
  messages::StepResultT run(const messages::StepPlan& plan);

  const op_table* ops_;
  thread_pool pool_;
  std::vector<std::unique_ptr<lane>> lanes_;
  logits_observer observer_;
};

} // namespace sluice

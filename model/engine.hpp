// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages/frame.hpp"
#include "model/cpu_device.hpp"
#include "model/lane.hpp"
#include "model/loaded_model.hpp"
#include "model/step_answer.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace sluice {

/// The work of one device and its lanes. Takes plans and gives results; knows
/// no actor and no other process.
/// @note one calling thread at a time.
class engine {
public:
  explicit engine(std::unique_ptr<compute_device> device);

  /// On a cpu_device. @throws as its constructor.
  explicit engine(const engine_options& options);

  /// How this device's kernels want their weights: for load_options.
  const weight_packing* packing() const { return device_->packing(); }
  bool multiplies_fp8() const { return device_->multiplies_fp8(); }

  /// As compute_device::kv_bytes_beside().
  std::optional<std::uint64_t>
  kv_bytes_beside(const loaded_model& model,
                  const lane_options& options) const {
    return device_->kv_bytes_beside(model, options);
  }

  /// Hosts one more model. Plans name lanes by the returned number, from 0 up.
  /// @throws contract_violation, memory_error if the KV store is impossible.
  std::uint32_t add_lane(std::shared_ptr<const loaded_model> model,
                         const lane_options& options);

  /// Runs one plan. A mistake in a row is the answer of that row alone; what
  /// breaks the whole step is the result's code. Never throws on a bad plan.
  /// @note allocates nothing once earlier results have been dropped, unless
  ///       sequences join or leave, a step is wider than any before, or a row
  ///       fails.
  messages::frame<messages::StepResult> step(const messages::StepPlan& plan);

  /// Replaces every sequence of a lane; no position has KV afterwards.
  /// @throws contract_violation for an unknown lane.
  void attach(const messages::Attach& state);

  /// @throws contract_violation for an unknown lane.
  lane_facts facts(std::uint32_t lane) const;

  /// Binds the thread that will call step(), if threads are bound. Threads that
  /// it starts afterwards would be bound to the same CPU.
  void pin_caller() const { device_->pin_caller(); }

  /// Undoes pin_caller().
  void unpin_caller() const { device_->unpin_caller(); }

  /// Calls `observer` with every row of logits before it is sampled; for tests
  /// and scoring. An empty function ends it.
  void observe(logits_observer observer);

  std::uint32_t lanes() const noexcept {
    return static_cast<std::uint32_t>(lanes_.size());
  }

private:
  using clock = std::chrono::steady_clock;

  void run(const messages::StepPlan& plan);

  std::unique_ptr<compute_device> device_; // outlives the lanes
  std::vector<std::unique_ptr<lane>> lanes_;
  logits_observer observer_;
  step_answer answer_;
  messages::frame_pool<messages::StepResult> results_;
  clock::time_point step_ended_{};
};

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "messages/frame.hpp"
#include "model/cpu_device.hpp"
#include "model/device_source.hpp"
#include "model/lane.hpp"
#include "model/loaded_model.hpp"
#include "model/step_answer.hpp"

#include <array>
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

  /// On a device that can be made anew. @throws as source.make does.
  explicit engine(device_source source);

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
  /// @param progress  as compute_device::make_lane(), this time only.
  /// @throws contract_violation, memory_error if the KV store is impossible.
  std::uint32_t add_lane(std::shared_ptr<const loaded_model> model,
                         const lane_options& options,
                         const progress_fn& progress = {});

  /// Starts one plan; on a device that works by itself its work goes on after
  /// the call, so that the next plan can be started meanwhile. A mistake in a
  /// row is the answer of that row alone; what breaks the whole step is the
  /// result's code. Never throws on a bad plan.
  /// @param plan  stays where it is until finish() has given its result.
  /// @return the end of its work, valid until two more have been started; null
  ///         if it has ended.
  /// @throws contract_violation if most_started_steps have been started and
  ///         not finished.
  /// @throws device_error, a sticky one: the device is lost, this plan and all
  ///         others that have no result with it; only renew() helps.
  /// @note allocates nothing once earlier results have been dropped, unless
  ///       sequences join or leave, a step is wider than any before, or a row
  ///       fails.
  const step_end* start(const messages::StepPlan& plan);

  /// Steps that have been started and not finished.
  std::uint32_t started() const noexcept { return started_; }

  /// Whether the work of the oldest of them has ended.
  bool is_done() const noexcept;

  /// Waits for the oldest of them.
  /// @throws contract_violation if there is none; device_error as start().
  messages::frame<messages::StepResult> finish();

  /// Starts one plan and finishes it, when no other is started.
  messages::frame<messages::StepResult> step(const messages::StepPlan& plan);

  /// Replaces every sequence of a lane; no position has KV afterwards.
  /// @throws contract_violation for an unknown lane, or while a step of it is
  ///         started and not finished.
  void attach(const messages::Attach& state);

  /// Makes a lost device anew, and its lanes from the models that they hold in
  /// this machine's memory. No lane has a sequence afterwards, and no page KV.
  /// It can be tried again if it throws; until then nothing else may be called.
  /// @throws contract_violation for a device without a source, and whatever
  ///         making it and its lanes can throw.
  void renew();

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

  /// What a lane was made from.
  struct hosted_model {
    std::shared_ptr<const loaded_model> model;
    lane_options options;
  };

  /// A plan from its start to its result.
  struct flight {
    step_answer answer;
    lane* where = nullptr; // null: it has failed already
    const step_end* end = nullptr;
    clock::time_point began;
  };

  void start(const messages::StepPlan& plan, flight& step);
  void finish(flight& step);

  device_source source_; // empty: the device cannot be made anew
  std::vector<hosted_model> hosted_;
  std::unique_ptr<compute_device> device_; // outlives the lanes
  std::vector<std::unique_ptr<lane>> lanes_;
  logits_observer observer_;
  std::array<flight, most_started_steps> flights_; // from oldest_, started_
  std::uint32_t oldest_ = 0;
  std::uint32_t started_ = 0;
  messages::frame_pool<messages::StepResult> results_;
  clock::time_point step_ended_{};
};

} // namespace sluice

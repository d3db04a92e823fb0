// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/select.hpp"
#include "model/engine.hpp"
#include "model/gpu.hpp"
#include "tools/bench/measure.hpp"
#include "tools/bench/step_work.hpp"

namespace sluice::bench {

struct driver_options {
  std::string model; // directory or .gguf file
  std::string shape; // in its place: random weights, made on the GPU
  instruction_set isa = detect();
  std::optional<gpu_options> gpu;   // computes in the CPU's place
  std::optional<dtype> weight_type; // that weights are rounded to on loading
  dtype kv_type = dtype::f16;
  std::uint32_t threads = 0;       // 0: one a core
  std::uint32_t sequences = 1;     // at a time, at most
  std::uint32_t tokens_each = 512; // of a sequence, prompt and generated
  std::uint32_t step_tokens = 512; // of one step, at most
};

/// One model on an engine, fed with plans made here: no actors, no sockets.
/// Its sequences have random prompts and grow together.
class engine_driver {
public:
  /// Loads the model, and binds the calling thread to a CPU. Sequences are made
  /// no longer than its context.
  /// @throws model_error, contract_violation, memory_error.
  explicit engine_driver(driver_options options,
                         const progress_fn& progress = {});

  ~engine_driver();
  engine_driver(const engine_driver&) = delete;
  engine_driver& operator=(const engine_driver&) = delete;

  machine facts() const;

  /// Seconds that passed between steps, by the device's clock if it has one,
  /// since the last time that this was asked.
  double take_idle_seconds() { return std::exchange(idle_seconds_, 0); }

  /// What steps must fetch and compute at least.
  const step_work& work() const { return work_; }

  /// The most tokens that a sequence can have.
  std::uint32_t tokens_each() const { return options_.tokens_each; }

  /// Forgets what there was, and computes the prompts of new sequences, one
  /// after the other, in steps that are as full as they may be.
  /// @throws std::runtime_error if a step fails.
  void prompts(std::uint32_t count, std::uint32_t tokens);

  /// Starts a step in which every sequence grows by one token. The step before
  /// may still be under way.
  /// @throws std::runtime_error if a step fails.
  void decode();

  /// Waits for what has been started.
  /// @throws std::runtime_error if a step fails.
  void settle();

private:
  /// A sequence between its prompt and its end.
  struct sequence {
    std::vector<std::uint32_t> prompt;
    std::uint32_t computed = 0;
    std::uint64_t plan = 0; // that samples its next token, and the row
    std::uint32_t row = 0;
  };

  void forget();
  void join(messages::StepPlanT& plan, std::uint32_t index);
  void add_chunk(messages::StepPlanT& plan, std::uint32_t index,
                 std::uint32_t tokens);
  void add_row(messages::StepPlanT& plan, sequence& of,
               std::unique_ptr<messages::PlanRowT> row);
  void start(messages::StepPlanT plan);
  void finish();

  driver_options options_;
  std::unique_ptr<engine> engine_;
  step_work work_;
  double idle_seconds_ = 0;
  std::uint32_t lane_ = 0;
  std::uint32_t vocabulary_ = 0;
  std::uint64_t next_plan_ = 1;
  std::vector<sequence> sequences_;
  std::vector<std::uint64_t> left_; // to forget with the next plan
  std::deque<messages::frame<messages::StepPlan>> plans_; // started
};

} // namespace sluice::bench

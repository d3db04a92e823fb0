// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/select.hpp"
#include "model/gpu.hpp"
#include "model/weights.hpp"
#include "tools/bench/gpu/gpu_limits.hpp"
#include "tools/bench/measure.hpp"
#include "tools/bench/statistics.hpp"

namespace sluice::bench {

/// What to measure with `sluice bench batch`.
struct batch_plan {
  std::string model;
  std::string shape; // in its place: random weights, made on the GPU
  instruction_set isa = detect();
  std::optional<gpu_options> gpu;   // computes in the CPU's place
  std::optional<dtype> weight_type; // that weights are rounded to on loading
  dtype kv_type = dtype::f16;
  std::uint32_t threads = 0;         // 0: one a core
  std::uint32_t prompt_tokens = 128; // of each sequence
  std::uint32_t decode_tokens = 32;  // of each sequence
  std::uint32_t step_tokens = 512;   // of a step while prompts are computed
  std::vector<std::uint32_t> batches{1, 2, 4, 8, 16, 32, 64};
  int rounds = 5;
  double seconds = 0; // decoding stops early after this; 0: never
};

/// A row of llama-batched-bench's table; speeds in tokens per second.
struct batch_row {
  std::uint32_t prompt_tokens = 0; // of each sequence
  std::uint32_t decode_tokens = 0; // of each sequence, as measured
  std::uint32_t batch = 0;
  summary prompt_seconds; // for the prompts of all
  summary decode_seconds; // for decode_tokens steps of all
  // On a GPU, else 0: what the roofline allows, and how much it waited.
  double least_prompt_seconds = 0;
  double least_decode_seconds = 0;
  double idle_part = 0; // of decoding: between two steps, by the GPU's clock

  std::uint32_t kv_tokens() const {
    return batch * (prompt_tokens + decode_tokens);
  }
  double prompt_speed() const;
  double decode_speed() const;
  double total_seconds() const;
  double total_speed() const;

  // Parts of the roofline; 0 without one.
  double prompt_part() const;
  double decode_part() const;
  double total_part() const;
  double output_speed() const; // generated tokens over the time of all
};

struct batch_report {
  machine where;
  std::optional<gpu_limits> limits; // of the GPU, before the model came
  std::vector<batch_row> rows;      // in the order of the plan's batches
};

/// Rounds over all batches, so that a drift of the machine meets all alike.
/// @param loading    while the model is read.
/// @param measuring  before each measurement, with what it is.
/// @throws model_error, memory_error, contract_violation for prompts that do
///         not fit into the model's context.
batch_report measure_batches(const batch_plan& plan, const progress_fn& loading,
                             const announce& measuring);

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sluice::bench {

/// What to measure, and for how long.
struct plan {
  std::string model;                            // directory or .gguf file
  std::uint32_t threads = 0;                    // 0: one a core
  std::vector<std::uint32_t> prompts{128, 512}; // tokens in one step
  std::vector<std::uint32_t> batches{1, 8, 32}; // sequences that decode
  std::uint32_t steps = 64; // most decode steps of one measurement
  double seconds = 10;      // after which a measurement stops early
};

/// A prompt of `tokens`, computed in one step.
struct prompt_speed {
  std::uint32_t tokens = 0;
  double seconds = 0;
  double tokens_per_second = 0;
};

/// `batch` sequences, each growing by one token a step.
struct decode_speed {
  std::uint32_t batch = 0;
  std::uint32_t steps = 0;
  double seconds = 0;
  double tokens_per_second = 0; // of all sequences together
};

/// What a decode step costs the daemon beside the executor's work.
struct step_overhead {
  std::uint32_t batch = 0;
  std::uint64_t steps = 0;
  double step_us = 0;     // mean time from one result to the next
  double compute_us = 0;  // mean time inside the executor
  double outside_us = 0;  // the difference
  double kernels_us = 0;  // mean time inside kernels, in the executor
  double sampling_us = 0; // mean time from logits to tokens
  double idle_us = 0;     // mean time from a step's end to the next one's start
  double overhead_us = 0; // median of all that is no kernel
};

/// What was measured on.
struct machine {
  std::string model;
  std::string isa;
  std::uint32_t threads = 0;
  std::uint64_t weight_bytes = 0;
};

/// Says what is being measured, e.g. to a terminal.
using announce = std::function<void(const std::string&)>;

} // namespace sluice::bench

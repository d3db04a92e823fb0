// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/ops.hpp"
#include "tools/bench/kernels/cases.hpp"
#include "tools/bench/statistics.hpp"

namespace sluice::bench {

/// What to measure with `sluice bench kernels`, and how thoroughly.
struct kernel_plan {
  instruction_set isa = instruction_set::portable;
  int threads = 1;
  std::vector<dtype> types;       // of weights
  std::vector<dtype> cache_types; // of the KV cache
  bool skip_unsupported = false;  // leave out types that the path lacks
  std::vector<std::string> ops;   // empty: all
  case_choice choice;
  int rounds = 5;        // of each op, each with the roofline beside it
  double seconds = 0.03; // of an op in a round, at least one run
};

/// The limits of the machine over all rounds.
struct roofline_report {
  summary read;            // bytes per second
  summary int8, bf16, f32; // operations per second
  std::string read_pattern;
  std::string int8_instructions, bf16_instructions, f32_instructions;
  std::uint64_t buffer_bytes = 0;
};

/// One op, measured.
struct kernel_row {
  op_case what; // without its data: do not run
  summary seconds;
  summary part;                // of what the roofline allows, per round
  std::string bound;           // what limits: "memory", or a peak's name
  std::optional<summary> cost; // of strict over fast mode: 0.1 is 10 % more
                               // seconds; of strict matmuls on a GPU
};

struct kernel_report {
  roofline_report limits;
  std::vector<kernel_row> rows;
};

/// The part of the machine's limit that an op reaches: the time that it needs
/// at least, by the bytes it must fetch or the operations it must do, over the
/// time it took.
struct limit {
  double seconds = 0;
  bool by_memory = true;
};
limit least_time(const op_case& what, double read_bytes_per_second,
                 double operations_per_second);

/// Names of the ops that `kernel_plan::ops` may hold.
std::vector<std::string> op_names();

/// Measures all of them; rounds of an op alternate with the roofline's loops.
/// @param done  called after each row.
/// @throws contract_violation for what the path cannot do, memory_error.
kernel_report
measure_kernels(const kernel_plan& plan,
                const std::function<void(const kernel_row&)>& done);

} // namespace sluice::bench

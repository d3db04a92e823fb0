// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/bench/kernels/kernel_bench.hpp"

namespace sluice::bench {

/// What to measure with `sluice bench kernels --device cuda`; the instruction
/// set and the threads of `kernels` have no meaning there.
struct gpu_kernel_plan {
  kernel_plan kernels;
  int index = 0; // of the GPU
};

/// What is measured there beside some of op_names(): whole KV pages that move.
inline constexpr const char* op_of_gpus = "move_pages";

/// Measures the kernels of a GPU: each op's rounds alternate with loops that
/// show what the device can do at that moment. Times are the device's own.
/// @param done  called after each row.
/// @throws contract_violation without a GPU or a build for one,
///         std::runtime_error what CUDA says.
kernel_report
measure_gpu_kernels(const gpu_kernel_plan& plan,
                    const std::function<void(const kernel_row&)>& done);

/// The name of the GPU, e.g. "NVIDIA H100 80GB HBM3".
/// @throws as measure_gpu_kernels().
std::string gpu_name(int index);

/// What multiplies long prompts in fast mode; empty: our own kernels.
std::string gpu_library();

} // namespace sluice::bench

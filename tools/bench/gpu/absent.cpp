// SPDX-License-Identifier: Apache-2.0
#include "model/gpu.hpp"
#include "tools/bench/gpu/gpu_kernels.hpp"
#include "tools/bench/gpu/gpu_limits.hpp"

// Of builds without the CUDA Toolkit.

namespace sluice::bench {

kernel_report
measure_gpu_kernels(const gpu_kernel_plan&,
                    const std::function<void(const kernel_row&)>&) {
  make_gpu_device({}); // says what is missing
  return {};
}

std::string gpu_name(int) {
  make_gpu_device({});
  return {};
}

std::string gpu_library() {
  return {};
}

gpu_limits measure_gpu_limits(int) {
  make_gpu_device({});
  return {};
}

} // namespace sluice::bench

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/compute_device.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// What a build knows of GPUs, without CUDA in sight: gpu_absent.cpp answers for
// builds without the toolkit, cuda/gpu.cpp for those with it.

namespace sluice {

struct gpu_options {
  std::uint32_t index = 0;           // as gpus() lists them
  int threads = 1;                   // of the host, beside the GPU
  bool strict = true;                // contract 1; else as is fastest
  std::uint32_t memory_percent = 90; // of the GPU's, for all of a lane
};

/// Whether this build can use a GPU at all.
bool built_for_gpus();

/// Names of the GPUs that can be used, by index; empty without a driver.
std::vector<std::string> gpus();

/// @throws contract_violation with a remedy: no such GPU, or a build without
///         CUDA; std::runtime_error what CUDA says.
std::unique_ptr<compute_device> make_gpu_device(const gpu_options& options);

/// As cuda::reset_device(): after a GPU was lost and nobody has anything of it.
/// @throws device_error; contract_violation from a build without CUDA.
void reset_gpu(std::uint32_t index);

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/gpu.hpp"

#include "model/cuda/cuda_device.hpp"

namespace sluice {

bool built_for_gpus() {
  return true;
}

std::vector<std::string> gpus() {
  std::vector<std::string> names;
  for (const auto& device : cuda::devices())
    names.push_back(device.name);
  return names;
}

std::unique_ptr<compute_device> make_gpu_device(const gpu_options& options) {
  return std::make_unique<cuda_device>(
      cuda_options{.index = static_cast<int>(options.index),
                   .threads = options.threads,
                   .mode = options.strict ? cuda::determinism::strict
                                          : cuda::determinism::fast,
                   .memory_percent = options.memory_percent});
}

void reset_gpu(std::uint32_t index) {
  cuda::reset_device(static_cast<int>(index));
}

} // namespace sluice

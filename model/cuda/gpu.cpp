// SPDX-License-Identifier: Apache-2.0
#include "model/gpu.hpp"

#include "model/cuda/cuda_device.hpp"

#include <cstdlib>
#include <string_view>

namespace sluice {

namespace {

// For whoever looks for what is at fault, or what graphs gain.
bool graphs_wanted() {
  const auto* said = std::getenv("SLUICE_CUDA_GRAPHS");
  return !said || std::string_view{said} != "0";
}

} // namespace

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
                   .graphs = graphs_wanted(),
                   .memory_percent = options.memory_percent});
}

void reset_gpu(std::uint32_t index) {
  cuda::reset_device(static_cast<int>(index));
}

} // namespace sluice

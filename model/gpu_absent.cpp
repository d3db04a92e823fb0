// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "model/gpu.hpp"

namespace sluice {

bool built_for_gpus() {
  return false;
}

std::vector<std::string> gpus() {
  return {};
}

std::unique_ptr<compute_device> make_gpu_device(const gpu_options&) {
  throw contract_violation{
      "this build has no CUDA kernels; install the CUDA Toolkit and build with "
      "-DSLUICE_CUDA=ON, or set executor.device to cpu"};
}

void reset_gpu(std::uint32_t) {
  throw contract_violation{
      "this build has no CUDA kernels and so no GPU to reset; do not call"};
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_device.hpp"

#include "kernels/check.hpp"
#include "model/cuda/cuda_lane.hpp"

#include <string>
#include <utility>
#include <variant>

namespace sluice {

namespace {

cuda::device_facts find(int index) {
  const auto all = cuda::devices();
  std::string known;
  for (const auto& device : all) {
    if (device.index == index)
      return device;
    known += (known.empty() ? "" : ", ") + std::to_string(device.index) + " (" +
             device.name + ")";
  }
  throw contract_violation{
      all.empty()
          ? std::string{"there is no GPU that CUDA can use; choose "
                        "executor.device = cpu, or check the driver with "
                        "nvidia-smi"}
          : "there is no GPU " + std::to_string(index) + "; choose one of " +
                known};
}

} // namespace

cuda_device::cuda_device(const cuda_options& options)
    : options_{options}, facts_{find(options.index)} {
  cuda::use_device(options.index);
}

std::optional<std::uint64_t>
cuda_device::kv_bytes_beside(const loaded_model& model,
                             const lane_options& options) const {
  auto as_many_as_fit = options;
  as_many_as_fit.kv_pages = 0;
  return plan(model, as_many_as_fit).pages.bytes;
}

// With what is free now.
cuda::memory_plan cuda_device::plan(const loaded_model& model,
                                    const lane_options& options) const {
  const auto plan = cuda::plan_memory(
      find(options_.index), cuda_lane_wishes(model, options, options_));
  if (const auto* shortage = std::get_if<cuda::memory_shortage>(&plan))
    throw cuda::out_of_device_memory{shortage->text};
  return std::get<cuda::memory_plan>(plan);
}

std::unique_ptr<lane_device>
cuda_device::make_lane(std::shared_ptr<const loaded_model> model,
                       const lane_options& options,
                       const progress_fn& progress) {
  const auto memory = plan(*model, options);
  return make_cuda_lane(std::move(model), options,
                        {.options = options_,
                         .memory = memory,
                         .stream = stream_,
                         .timeline = timeline_},
                        progress);
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/memory_plan.hpp"
#include "model/cuda/cuda_device.hpp"
#include "model/cuda/cuda_timeline.hpp"

#include <memory>

namespace sluice {

/// What a lane on a GPU works with.
struct cuda_place {
  cuda_options options;
  cuda::memory_plan memory; // of cuda_lane_wishes()
  cuda::stream& stream;
  cuda_timeline& timeline;
};

/// The memory that a lane wants, all of it: nothing grows later. No kv_pages:
/// as many as fit.
/// @throws contract_violation for a model that no kernel takes.
cuda::memory_wishes cuda_lane_wishes(const loaded_model& model,
                                     const lane_options& options,
                                     const cuda_options& device);

/// A lane in a GPU's memory. What it starts goes into the stream and is not
/// waited for, but where the choice of tokens does not fit one slice, or an
/// observer wants to see logits.
/// @param progress  of the weights' way up; may be empty.
/// @throws contract_violation, cuda::out_of_device_memory, cuda::device_error.
std::unique_ptr<lane_device>
make_cuda_lane(std::shared_ptr<const loaded_model> model,
               const lane_options& options, const cuda_place& place,
               const progress_fn& progress);

} // namespace sluice

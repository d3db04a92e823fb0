// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/matmul_skinny.hpp"
#include "kernels/cuda/matmul_start.hpp"
#include "kernels/cuda/matmul_tall.hpp"

namespace sluice::cuda {

template <weight_form Form>
void start_matmul(const matmul_job& job, const matmul_plan& plan, stream& in) {
  launch_shape shape{.grid_x = static_cast<std::uint32_t>(plan.all_blocks()),
                     .threads = tall_tiles::threads,
                     .shared_bytes = plan.shared_bytes,
                     .early = true};
  switch (plan.tile_tokens) {
  case 8:
    shape.threads = skinny_tiles::warps * warp_lanes;
    return launch(in, shape, skinny_matmul_kernel<Form>, job);
  case 16:
    return launch(in, shape, tall_matmul_kernel<Form, 16>, job);
  case 32:
    return launch(in, shape, tall_matmul_kernel<Form, 32>, job);
  case 64:
    return launch(in, shape, tall_matmul_kernel<Form, 64>, job);
  default:
    if constexpr (most_tile_tokens(Form) == 128)
      return launch(in, shape, tall_matmul_kernel<Form, 128>, job);
  }
}

} // namespace sluice::cuda

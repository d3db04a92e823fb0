// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/matmul_job.hpp"
#include "kernels/cuda/matmul_plan.hpp"
#include "kernels/cuda/runtime.hpp"

namespace sluice::cuda {

/// Puts the plan's kernel for one form into the stream. A source file a form:
/// matmul_<form>.cu.
template <weight_form Form>
void start_matmul(const matmul_job& job, const matmul_plan& plan, stream& in);

} // namespace sluice::cuda

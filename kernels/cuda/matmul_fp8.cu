// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/matmul_kernels.hpp"

namespace sluice::cuda {

template void start_matmul<weight_form::fp8>(const matmul_job&,
                                             const matmul_plan&, stream&);

} // namespace sluice::cuda

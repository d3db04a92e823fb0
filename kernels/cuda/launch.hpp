// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/simt.hpp"

// How a .cu file starts its kernels, on a GPU or in the emulation.

#ifdef SLUICE_SIMT_EMULATION

#include "kernels/cuda/emulation/launch_emulated.hpp"

#else

#include <cuda_runtime.h>

namespace sluice::cuda {

/// Throws device_error or out_of_device_memory unless all is well.
void check_cuda(cudaError_t result, const char* what);

/// Shared memory that a block of the calling thread's device may have.
int most_shared_bytes();

/// Whether kernels of that device wait for the one before by themselves: before
/// compute capability 9.0 there is no such instruction.
bool may_start_early();

/// Starts a kernel. One that wants more shared memory than comes unasked for is
/// allowed all that a block may have: a limit that followed each call's wishes
/// would fall below what recorded graphs have of the same kernel.
/// @throws device_error if it cannot be started.
template <class... Parameters, class... Arguments>
void launch(stream& on, const launch_shape& shape,
            void (*kernel)(Parameters...), const Arguments&... arguments) {
  constexpr std::size_t without_asking = 48u << 10;
  if (shape.shared_bytes > without_asking)
    check_cuda(cudaFuncSetAttribute(kernel,
                                    cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    most_shared_bytes()),
               "shared memory of a kernel");
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = {shape.grid_x, shape.grid_y, shape.grid_z};
  config.blockDim = {shape.threads, 1, 1};
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = static_cast<cudaStream_t>(on.native());
  config.attrs = &early;
  config.numAttrs = shape.early && may_start_early() ? 1 : 0;
  check_cuda(cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...),
             "the start of a kernel");
}

} // namespace sluice::cuda

#endif

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/emulation/block.hpp"
#include "kernels/cuda/runtime.hpp"

#include <functional>

namespace sluice::cuda {

namespace emulation {

/// Puts work into a stream: it is done at once, or recorded, or kept.
void enqueue(stream& on, std::function<void()> work);

/// From here on streams keep their work until somebody waits for it: whoever
/// changes what it reads meanwhile, or reads too soon what it writes, is found
/// out. For tests; no stream may have work when it ends.
void work_late(bool late);

} // namespace emulation

template <class... Parameters, class... Arguments>
void launch(stream& on, const launch_shape& shape,
            void (*kernel)(Parameters...), const Arguments&... arguments) {
  emulation::enqueue(on, [shape, kernel, arguments...] {
    emulation::run_grid(shape, [&] { kernel(Parameters(arguments)...); });
  });
}

} // namespace sluice::cuda

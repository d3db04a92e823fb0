// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/emulation/block.hpp"
#include "kernels/cuda/runtime.hpp"

#include <cstdint>
#include <functional>

namespace sluice::cuda {

namespace emulation {

/// Puts work into a stream: it is done at once, or recorded, or kept.
void enqueue(stream& on, std::function<void()> work);

/// When streams do their work. One that keeps it does it when somebody waits:
/// whoever changes what it reads meanwhile, or reads too soon what it writes,
/// is found out. Of several streams each gets as far as its events allow: those
/// that nobody waits for as late as can be, or as early.
enum class pace : std::uint8_t {
  at_once,     // when it is given
  as_needed,   // kept; a wait does what it waits for and what that waits for
  others_first // kept; a wait has all other streams do all they can before
};

/// For tests; no stream may have work when it changes.
void set_pace(pace now);

/// Calls that streams had kept and took with them.
std::uint64_t calls_dropped();

} // namespace emulation

template <class... Parameters, class... Arguments>
void launch(stream& on, const launch_shape& shape,
            void (*kernel)(Parameters...), const Arguments&... arguments) {
  emulation::enqueue(on, [shape, kernel, arguments...] {
    emulation::run_grid(shape, [&] { kernel(Parameters(arguments)...); });
  });
}

} // namespace sluice::cuda

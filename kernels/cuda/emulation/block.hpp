// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "kernels/cuda/runtime.hpp"

namespace sluice::cuda::emulation {

/// A kernel did what no GPU allows: threads that wait for different things, a
/// misaligned copy. The text says where.
class kernel_error : public std::logic_error {
public:
  using std::logic_error::logic_error;
};

/// In which order the threads of a block get their turns. A kernel whose result
/// depends on it lacks a barrier.
enum class turns : std::uint8_t { forward, backward, shuffled };
void take_turns(turns order, std::uint64_t seed = 1);

/// What one thread of the running block sees.
struct thread_view {
  int block_x = 0, block_y = 0, block_z = 0;
  int grid_x = 1;
  int thread = 0, threads = 1;
  std::byte* shared = nullptr;
  std::size_t shared_bytes = 0;
};
const thread_view& view();

/// Ends the thread's turn until all of its block, or warp, have come here.
void wait_for_block();
void wait_for_warp();

/// A warp-wide exchange: each lane gives 16 or fewer words and, when all have,
/// sees everybody's.
using words = std::array<std::uint32_t, 16>;
using warp_words = std::array<words, 32>;
const warp_words& exchange(const words& own);

/// Asynchronous copies happen when they are waited for, no sooner.
void add_copy(void* shared, const void* global, bool valid);
void commit_copies();
void wait_copies(int youngest);

/// The thread waits for the kernel before. In a grid that was started early all
/// have to: whoever reads or writes without it may do so too soon, and a grid
/// that ended without it would let the next one go on before what is under way
/// ahead of both.
void wait_for_grid();

/// Runs every block of a grid, one after the other.
/// @throws kernel_error.
void run_grid(const launch_shape& shape, const std::function<void()>& kernel);

} // namespace sluice::cuda::emulation

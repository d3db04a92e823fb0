// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"

#include <cstdint>
#include <string>
#include <variant>

// How a GPU's memory is shared out before any of it is taken: one pool, cut
// once at start. A pure function of the numbers.

namespace sluice::cuda {

struct memory_wishes {
  double gpu_fraction = 0.9;       // memory.gpu_fraction: of the whole device
  std::uint64_t weight_bytes = 0;  // of every lane on the device
  std::uint64_t scratch_bytes = 0; // activations, workspaces, device tables
  std::uint64_t staging_bytes = 0; // where swapped pages pass
  std::uint64_t page_bytes = 0;    // of a KV page in all layers; 0: no cache
  std::uint64_t wanted_pages = 0;  // exactly so many; 0: as many as fit
  std::uint64_t least_pages = 1;   // fewer are of no use: the longest sequence
};

/// A part of the pool.
struct memory_part {
  std::uint64_t offset = 0; // a multiple of memory_alignment
  std::uint64_t bytes = 0;
};

/// The pool, in the order in which its parts lie: pages last, so that what is
/// left over belongs to them.
struct memory_plan {
  memory_part weights;
  memory_part scratch;
  memory_part staging;
  memory_part pages;
  std::uint64_t page_count = 0;
  std::uint64_t pool_bytes = 0; // all of it
};

/// Why a pool cannot be had, with the numbers.
struct memory_shortage {
  enum class of : std::uint8_t {
    fraction, // memory.gpu_fraction is not a part of 1
    weights,
    scratch, // staging included
    pages
  };
  of what = of::fraction;
  std::uint64_t needed_bytes = 0;    // with all that comes before it
  std::uint64_t available_bytes = 0; // for the pool
  std::string text;                  // one line: numbers and a remedy
};

inline constexpr std::uint64_t memory_alignment = 256;

/// What stays free besides the pool: the driver's own, graphs, modules.
inline constexpr std::uint64_t memory_kept_free = std::uint64_t{384} << 20;

/// Cuts the pool, or says what is short. The pool is at most gpu_fraction of
/// the device, and at most what is free less memory_kept_free.
/// @note  sums of hostile sizes are bounded, not wrapped.
std::variant<memory_plan, memory_shortage>
plan_memory(const device_facts& device, const memory_wishes& wishes);

} // namespace sluice::cuda

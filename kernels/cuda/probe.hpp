// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"

#include <cstdint>

// Loops that show what a GPU can do at all: the limits beside which kernels are
// measured.

namespace sluice::cuda {

/// Reads memory once, all processors together.
/// @param from   device memory, 16-byte aligned.
/// @param bytes  a multiple of 16.
/// @param sink   one word of device memory, which the loop could change.
void read_probe(const std::byte* from, std::uint64_t bytes, std::uint32_t* sink,
                stream& in);

/// Products of matrices on tensor cores, from registers alone.
enum class product_kind : std::uint8_t { bf16, int8 };

/// @return operations that it starts: two for each product.
double product_probe(product_kind kind, int processors, int rounds,
                     std::uint32_t* sink, stream& in);

} // namespace sluice::cuda

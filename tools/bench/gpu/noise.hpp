// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "kernels/tensor.hpp"

#include <cstdint>

namespace sluice::bench {

/// Fills device memory with normal numbers. What is measured on zeros is not to
/// be trusted: a GPU multiplies them with less power, so at higher clocks, and
/// attention over them never meets a larger score.
/// @param type       bf16, f16, f32, i8 or f8_e4m3.
/// @param deviation  of bytes once they are multiplied by noise_scale().
void fill_with_noise(std::byte* at, std::uint64_t bytes, dtype type,
                     float deviation, cuda::stream& in);

/// The scale of bytes; of other types 1.
float noise_scale(dtype type, float deviation);

/// Fills device memory with one number.
void fill_with(float value, float* at, std::uint64_t count, cuda::stream& in);

} // namespace sluice::bench

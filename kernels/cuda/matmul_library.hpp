// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

// What fast mode leaves to cuBLASLt: long prompts of types that it can multiply
// exactly as they are. It wants weights in rows, so their tiles are unpacked
// first, which costs two more ways through memory: by the figures of an H100
// (3 TB/s; mma.sync, as our kernels use it, reaches about 60 % of what wgmma
// does) that pays from some 800 rows of x on.

namespace sluice::cuda {

inline constexpr std::int64_t library_rows = 1024; // of x; below: our kernels
inline constexpr std::size_t unpacked_bytes = std::size_t{128} << 20;
inline constexpr std::size_t library_workspace_bytes = std::size_t{32} << 20;
inline constexpr std::size_t library_bytes =
    unpacked_bytes + library_workspace_bytes;

/// Multiplies one projection in fast mode, as matmul().
/// @return false if that is not the library's, or it is not there, or knows no
///         way: nothing was started that matters.
bool multiply_by_library(const matmul_args& args, const device_projection& one,
                         stream& in);

/// out = x * weight^T, all of them in rows.
struct library_product {
  dtype type = dtype::bf16;          // of x and weight; f16, i8
  const std::byte* x = nullptr;      // [tokens, columns], 16-byte aligned
  const std::byte* weight = nullptr; // [rows, columns], 256-byte aligned
  float* out = nullptr;              // [tokens, rows]; of i8: int32
  std::int64_t out_stride = 0;       // a multiple of 4
  std::int64_t tokens = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0; // a multiple of 16
  std::span<std::byte> workspace;
};

/// The library of this machine, which is looked for once: library_device.cpp
/// loads cuBLASLt, emulation/library_emulated.cpp stands in for it.
/// @return false if it is not there or knows no way.
/// @throws device_error if a product cannot be started.
bool start_library(const library_product& product, stream& in);

/// What the library keeps of the device is gone with its context: the next
/// product begins anew. reset_device() calls it.
void forget_library() noexcept;

/// "cuBLASLt 13.1.0", or nothing.
std::string library_name();

} // namespace sluice::cuda

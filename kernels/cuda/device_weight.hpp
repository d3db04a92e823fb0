// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

// How weight matrices lie in device memory: made on the host at load, in the
// order in which tensor-core fragments want them. No CUDA here.

namespace sluice::cuda {

/// The layouts that matmul kernels read; weight_layout.hpp has their bits.
/// Every type of a file has one: form_of(). They hold a file's numbers exactly,
/// but f32 files, which are rounded to bf16.
enum class weight_form : std::uint8_t {
  bf16,   // products of bf16; f32 and bf16 files
  f16,    // products of f16
  q8_0,   // int8 in blocks of 32 with one scale
  q4_0,   // 4 bits in blocks of 32 with one scale
  q4_k,   // 4 bits in blocks of 32 with a scale and a minimum
  q6_k,   // 6 bits in blocks of 16 with one scale
  block8, // any other GGUF type: int8 in blocks of 16, f32 scale and minimum
  w8a8,   // int8, one scale a row; x is int8 with one scale a row
  fp8     // the same of f8_e4m3
};

/// @throws contract_violation for i32, i8 and f8_e4m3.
weight_form form_of(dtype type);

/// The operand type that x must have: bf16, f16 (form f16), i8 (w8a8) or
/// f8_e4m3 (fp8).
dtype operand_type(weight_form form);

/// Bytes of a matrix in device memory, a multiple of 256.
/// @param columns  a multiple of 16, and whole blocks of the file's type.
/// @throws contract_violation for a shape that kernels do not take.
std::size_t device_weight_bytes(weight_form form, std::int64_t rows,
                                std::int64_t columns);

/// Bytes of 16 rows, which lie together.
std::size_t device_tile_bytes(weight_form form, std::int64_t columns);

/// Lays out a matrix, on the host, in the form of its type. Threads may share
/// one: rows from n on, if 16 divides n, go n / 16 * device_tile_bytes() bytes
/// behind the first.
/// @param rows  [N, K], layout rows.
/// @param out   device_weight_bytes() bytes; of a part that is not the last,
///              device_tile_bytes() for each 16 rows are enough.
/// @throws contract_violation.
void pack_device_weight(const matrix_view& rows, std::span<std::byte> out);

/// What pack_device_weight stored, widened to f32: for tests.
/// @param packed  device_weight_bytes() bytes.
/// @param out     [K].
void unpack_device_weight(weight_form form, std::int64_t rows,
                          std::int64_t columns,
                          std::span<const std::byte> packed, std::int64_t row,
                          float* out);

/// A weight matrix [rows = N outputs, columns = K inputs] in device memory.
struct device_weight {
  const std::byte* data = nullptr;
  weight_form form = weight_form::bf16;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// One weight of a matmul and where its product goes.
struct device_projection {
  device_weight weight;
  const float* bias = nullptr; // [N], or null
  activations out;             // f32 [M, N] in device memory
};

} // namespace sluice::cuda

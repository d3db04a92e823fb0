// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"

namespace sluice {

// The checks that every path makes before it works: shapes, strides, dtypes,
// indices. Compiled once, for the baseline CPU.

/// @throws contract_violation that names the op, the rule and the remedy.
void check(const embed_rows_args& args);
void check(const rms_norm_args& args);
void check(const add_rms_norm_args& args);
void check(const matmul_args& args);
void check(const rope_angles_args& args);
void check(const rope_store_kv_args& args);
void check(const paged_attention_args& args);
void check(const swiglu_args& args);
void check(const sample_args& args);

/// x as integer products read it. K is cut into groups of 256, the last one
/// padded with zeros; the same group of all rows lies together, as the inner
/// loops want it.
struct integer_input {
  static constexpr std::int64_t group = 256;

  std::int64_t rows = 0;           // M
  std::int64_t groups = 0;         // ceil(K / 256)
  std::int8_t* values = nullptr;   // [groups, M, 256], 64-byte aligned
  float* scales = nullptr;         // [groups, M]
  std::int32_t* sums16 = nullptr;  // [groups, M, 16]: minus the sum of each 16
  std::int32_t* sums32 = nullptr;  // [groups, M, 8]: minus the sum of each 32
  std::int16_t* short32 = nullptr; // [groups, M, 8]: the same in 16 bits
  std::int32_t* sums = nullptr;    // [groups, M]: minus the sum of the group
};

/// A matmul's workspace: room for x in every form that weights may want.
struct matmul_workspace {
  integer_input integers;
  std::uint16_t* bf16 = nullptr; // [M, K rounded up to 32], 64-byte aligned
  float* f32 = nullptr;          // [M, K rounded up to 16], 64-byte aligned
  std::size_t bytes = 0;         // of all parts
};

/// Lays out a workspace for x [m, k] from `start` on, which may be null.
/// @throws contract_violation on an overflow or a negative shape.
matmul_workspace split_workspace(std::byte* start, std::int64_t m,
                                 std::int64_t k);

/// Whether a matmul with these weights quantises x.
bool quantizes_input(dtype weight_type);

} // namespace sluice

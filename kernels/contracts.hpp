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

/// The two parts of a quantised matmul's workspace.
struct quantized_rows {
  float* scales = nullptr;       // [M, K / 32]
  std::int8_t* values = nullptr; // [M, K], 64-byte aligned
};

/// Whether a matmul with these weights quantises x.
bool quantizes_input(dtype weight_type);

/// Lays the workspace out for the shape of `args`, which `check` accepted.
quantized_rows split_workspace(const matmul_args& args);

} // namespace sluice

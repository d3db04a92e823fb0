// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"

// The scalar oracle: each op as its contract reads, accumulated in double.
// The other paths are tested against it; it is selectable, but slow.

namespace sluice::reference {

void embed_rows(const embed_rows_args& args, thread_pool& pool);
void rms_norm(const rms_norm_args& args, thread_pool& pool);
void add_rms_norm(const add_rms_norm_args& args, thread_pool& pool);
void matmul(const matmul_args& args, thread_pool& pool);
void rope_angles(const rope_angles_args& args, thread_pool& pool);
void rope_store_kv(const rope_store_kv_args& args, thread_pool& pool);
void paged_attention(const paged_attention_args& args, thread_pool& pool);
void swiglu(const swiglu_args& args, thread_pool& pool);

/// The packing of a path that multiplies rows as they are: no type has panels.
inline constexpr weight_packing rows_as_they_are{
    .panel_rows = 1,
    .panel_bytes = [](dtype, std::int64_t) -> std::size_t { return 0; },
    .pack_panel = [](const matrix_view&, std::byte*) {},
    .unpack_row = [](const matrix_view&, std::int64_t, float*) {}};

const op_table& table();

} // namespace sluice::reference

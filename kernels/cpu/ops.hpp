// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/ops.hpp"
#include "kernels/sampling/row_passes.hpp"

// The ops of this folder, once per instruction set.

namespace sluice::SLUICE_ISA {

void embed_rows(const embed_rows_args& args, thread_pool& pool);
void rms_norm(const rms_norm_args& args, thread_pool& pool);
void add_rms_norm(const add_rms_norm_args& args, thread_pool& pool);
void matmul(const matmul_args& args, thread_pool& pool);
void rope_store_kv(const rope_store_kv_args& args, thread_pool& pool);
void paged_attention(const paged_attention_args& args, thread_pool& pool);
void swiglu(const swiglu_args& args, thread_pool& pool);
sampled sample(const sample_args& args);

/// Calls `row(r)` for every row, several rows a tile when rows are short:
/// waking a thread costs more than a few thousand elements.
template <class Row>
void for_rows(thread_pool& pool, std::int64_t rows, std::int64_t columns,
              const Row& row) {
  const std::int64_t least = 16384 / (columns > 0 ? columns : 1);
  const std::int64_t height = least > 1 ? least : 1;
  const auto tile = [&](std::int64_t t) {
    const std::int64_t end = t * height + height;
    for (std::int64_t r = t * height; r < (end < rows ? end : rows); ++r) {
      row(r);
    }
  };
  pool.parallel_for((rows + height - 1) / height, tile);
}

} // namespace sluice::SLUICE_ISA

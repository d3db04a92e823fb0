// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"

#include <cstdint>
#include <limits>

// Host-side checks that the ops over the KV cache share.

namespace sluice::cuda {

inline constexpr std::int64_t most_grid_rows = 65535; // of y and z

/// Whether 16-byte loads reach what begins here.
inline bool is_aligned16(const void* data) {
  return data && reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
}

/// Whether a head of a token is whole 16-byte pieces in a page of a size that
/// kernels know, and every part of the cache is there.
inline bool is_usable(const kv_view& kv) {
  const bool typed = kv.type == dtype::f16 || kv.type == dtype::bf16 ||
                     (is_scaled(kv.type) && is_aligned16(kv.k_scales) &&
                      is_aligned16(kv.v_scales));
  const auto tokens = kv.page_tokens;
  return typed && is_aligned16(kv.k) && is_aligned16(kv.v) && kv.pages > 0 &&
         kv.pages <= std::numeric_limits<std::int32_t>::max() &&
         kv.kv_heads > 0 && kv.kv_heads <= most_grid_rows && tokens >= 8 &&
         tokens <= 128 && (tokens & (tokens - 1)) == 0 && kv.head_dim > 0 &&
         kv.head_dim <= 256 && kv.head_dim % 16 == 0;
}

} // namespace sluice::cuda

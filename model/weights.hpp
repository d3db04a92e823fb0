// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/ops.hpp"
#include "memory/mapping.hpp"
#include "model/architecture.hpp"
#include "model/checkpoint/checkpoint.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

/// Weights of one transformer layer. Views into the memory of `weights`.
struct layer_weights {
  matrix_view q;                    ///< [heads * head_dim, hidden]
  matrix_view k;                    ///< [kv_heads * head_dim, hidden]
  matrix_view v;                    ///< [kv_heads * head_dim, hidden]
  matrix_view o;                    ///< [hidden, heads * head_dim]
  matrix_view gate;                 ///< [ffn, hidden]
  matrix_view up;                   ///< [ffn, hidden]
  matrix_view down;                 ///< [hidden, ffn]
  std::span<const float> attn_norm; ///< [hidden]
  std::span<const float> ffn_norm;  ///< [hidden]
  std::span<const float> q_bias;    ///< [heads * head_dim], or empty
  std::span<const float> k_bias;    ///< [kv_heads * head_dim], or empty
  std::span<const float> v_bias;    ///< [kv_heads * head_dim], or empty
};

/// All weights of one model in one anonymous mapping: constant after loading,
/// and independent of the files they came from. Every tensor starts at a
/// multiple of 64 bytes.
struct weights {
  matrix_view embed; ///< [vocab, hidden]
  std::vector<layer_weights> layers;
  std::span<const float> final_norm;    ///< [hidden]
  matrix_view lm_head;                  ///< [vocab, hidden]; == embed when tied
  std::span<const float> rope_divisors; ///< [rotary_dim / 2], or empty
  mapping memory;                       ///< what the views point into
};

/// Called while loading, first with 0 and last with the total.
using progress_fn =
    std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

struct load_options {
  /// Converts every matrix to this type while loading. Matrices whose rows are
  /// not whole blocks of the type stay as they are.
  std::optional<dtype> weight_type;
  /// How the path that will multiply wants its weights: `op_table::packing`.
  /// Matrices of a type that it packs are packed while loading. None: rows.
  const weight_packing* packing = nullptr;
  /// Whether the device multiplies fp8; else such weights become bf16.
  bool fp8 = false;
  int threads = 2; ///< that read, convert and pack; large models only
  /// From the calling thread.
  progress_fn progress;
};

/// Reads all weights of a model, checking each tensor's type and shape against
/// the architecture before anything is read. Norms and biases become f32; an
/// embedding that is no output matrix stays in rows. An I8 matrix and its
/// scales become w8a8, an F8_E4M3 matrix and its scales fp8.
/// @throws model_error: missing, bad_shape (with the expected and the found
///         shape), unsupported (a type without kernels, by name, or a tensor
///         that the architecture has no role for), malformed (an element that
///         the wanted type cannot hold), truncated, out_of_memory.
/// @note holds the weights and about 1 MiB a thread.
weights load_weights(const checkpoint& model, const architecture& arch,
                     const load_options& options = {});

/// Bytes load_weights() will hold, without reading any tensor. Errors as there.
std::uint64_t weight_bytes(const checkpoint& model, const architecture& arch,
                           const load_options& options = {});

} // namespace sluice

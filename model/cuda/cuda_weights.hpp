// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/device_weight.hpp"
#include "kernels/cuda/runtime.hpp"
#include "model/loaded_model.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

/// Weights of one layer in device memory, as layer_weights.
struct cuda_layer {
  cuda::device_weight q, k, v, o, gate, up, down;
  const float* attn_norm = nullptr; // [hidden]
  const float* ffn_norm = nullptr;  // [hidden]
  const float* q_bias = nullptr;    // or null, as the next two
  const float* k_bias = nullptr;
  const float* v_bias = nullptr;
};

/// All weights of a model, in one piece of somebody's device memory.
struct cuda_weights {
  const std::byte* embed = nullptr; // [vocab, hidden] of embed_type
  dtype embed_type = dtype::bf16;   // or f16
  std::vector<cuda_layer> layers;
  const float* final_norm = nullptr; // [hidden]
  cuda::device_weight lm_head;
  const float* inv_freq = nullptr; // [rotary_dim / 2]
  std::uint64_t bytes = 0;         // of them all
};

/// Bytes that upload_weights() will take.
/// @throws contract_violation for a shape that the kernels do not take.
std::uint64_t cuda_weight_bytes(const loaded_model& model);

struct upload_options {
  int threads = 1;      // of the host, which lay weights out
  progress_fn progress; // from the calling thread
};

/// Lays weights out for the kernels and copies them to the device. Matrices
/// that multiply the same x get forms with the same operand type: where a file
/// mixes f16, w8a8 and others there, all of them become bf16.
/// @param model   its matrices in rows, not in panels.
/// @param device  cuda_weight_bytes() bytes, where the weights point into.
/// @throws contract_violation as above, cuda::device_error.
cuda_weights upload_weights(const loaded_model& model,
                            std::span<std::byte> device,
                            const upload_options& options, cuda::stream& in);

} // namespace sluice

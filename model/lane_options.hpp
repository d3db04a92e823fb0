// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"

#include <cstdint>

namespace sluice {

struct lane_options {
  std::uint32_t kv_pages = 0;          // pages of the KV store, > 0
  std::uint32_t page_tokens = 16;      // a power of two, 8..128
  dtype kv_type = dtype::f16;          // f32, f16, bf16, i8 or f8_e4m3
  std::uint32_t max_step_tokens = 512; // positions of one plan, > 0
  std::uint32_t host_slots = 0;        // pages that can be swapped out
  // Sequences whose page tables a GPU keeps from step to step: at least those
  // of one plan. 0: as many as a plan can have.
  std::uint32_t kept_tables = 0;
  // Sequences whose penalty counts it keeps. 0: as many as pays.
  std::uint32_t kept_counts = 0;
};

} // namespace sluice

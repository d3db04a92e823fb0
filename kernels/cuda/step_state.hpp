// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling.hpp"

#include <cstdint>

// What a device keeps from step to step, so that a step brings along what has
// changed alone, and can be started before the host has read the last one's
// tokens. All pointers are device memory.

namespace sluice::cuda {

/// A new entry of a page table.
struct table_entry {
  std::uint32_t table = 0;
  std::uint32_t entry = 0; // of the table
  std::uint32_t page = 0;
};

struct table_args {
  std::uint32_t* pages = nullptr; // [tables, stride]
  std::int64_t tables = 0;
  std::int64_t stride = 0;
  const table_entry* entries = nullptr; // [count], none twice; those outside
                                        // the tables are skipped
  std::int64_t count = 0;
};
/// @throws contract_violation for a negative count or something missing.
void write_table_entries(const table_args& args, stream& in);

/// ids[at[i]] = the token that was chosen at row from[i], or -1.
struct take_args {
  const choice* chosen = nullptr; // [chosen_rows] of an earlier step
  std::int64_t chosen_rows = 0;
  const std::int32_t* from = nullptr; // [count]; outside: the token is -1
  const std::int32_t* at = nullptr;   // [count]; below 0: skipped
  std::int32_t* ids = nullptr;        // [rows]
  std::int64_t rows = 0;
  std::int64_t count = 0;
};
void take_tokens(const take_args& args, stream& in);

} // namespace sluice::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling.hpp"

#include <array>
#include <cstdint>

// What a device knows of its sequences between steps, so that a step can be
// started before the host has read the last one's tokens:
//
//   apply_deltas       what the plan changes: pages, lengths, tokens
//   build_decode_rows  the rows of a decode step, from the sequences
//   (the forward pass and choose_tokens)
//   advance            every sequence by the token that was chosen
//
// Steps that carry tokens of their own (prompts, verifications) write ids,
// positions and row_sequences from the host, take_tokens() fills in what only
// the device knows, and find_slots() the rest. All pointers are device memory.

namespace sluice::cuda {

/// The sequences of a lane, by number.
struct sequence_arrays {
  std::int32_t* lengths = nullptr;     // [sequences] positions with their KV
  std::int32_t* last_tokens = nullptr; // [sequences] the token at `length`;
                                       // below 0: the sequence waits
  device_tables tables;                // [sequences, stride]
  std::int64_t sequences = 0;
  std::int64_t page_tokens = 0; // a power of two
  std::int64_t pages = 0;       // of the cache: what no page table may pass
};

/// The rows of a step, as the ops of a forward pass read them.
struct step_rows {
  std::int32_t* ids = nullptr;           // [rows]; below 0: skipped
  std::int32_t* positions = nullptr;     // [rows]; likewise
  std::int32_t* row_sequences = nullptr; // [rows]; of a skipped row 0
  std::int64_t* slots = nullptr;         // [rows]; below 0: skipped
  std::int64_t rows = 0;
};

/// A new value of one element of one array.
struct delta {
  std::uint32_t target = ~0u; // of delta_args::targets; others are skipped, so
                              // a graph's list can be filled up
  std::uint32_t value = 0;    // bits of an i32 or u32
  std::uint64_t index = 0;    // past the array's end: skipped
};

struct delta_target {
  void* words = nullptr; // 4 bytes each
  std::uint64_t count = 0;
};

inline constexpr std::size_t most_delta_targets = 8;

struct delta_args {
  std::array<delta_target, most_delta_targets> targets;
  const delta* deltas = nullptr; // [count]; no element twice
  std::int64_t count = 0;
};
/// @throws contract_violation for a negative count or a missing list.
void apply_deltas(const delta_args& args, stream& in);

/// A row for every sequence of a decode step: its last token at its length.
/// Skipped are padding, sequences that wait and positions without a page.
struct decode_args {
  sequence_arrays from;
  const std::int32_t* sequences = nullptr; // [rows]; below 0: padding
  step_rows to;
  choice_row* choices = nullptr; // [rows]; settings go by sequence; the drawn
                                 // token enters the counts
};
void build_decode_rows(const decode_args& args, stream& in);

/// Slots of rows whose sequences and positions are there.
struct slot_args {
  sequence_arrays from;
  step_rows rows; // writes slots alone
};
void find_slots(const slot_args& args, stream& in);

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

/// Length + 1 and the chosen token for every row's sequence; where none was
/// chosen the sequence waits from here on, so that steps already under way skip
/// it. A skipped row changes nothing.
struct advance_args {
  sequence_arrays to;
  step_rows rows;                 // of the step
  const choice* chosen = nullptr; // [rows]
};
void advance(const advance_args& args, stream& in);

} // namespace sluice::cuda

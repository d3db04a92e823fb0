// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling.hpp"

#include <cstdint>

// How a call is cut, and what its kernels tell each other. Rows are cut into
// slices of the vocabulary, so that one row alone has many processors:
//
//   survey   [slices, rows]  penalties, bias and mask; the largest; raw sums
//   measure  [slices, rows]  no filters: draws. Filters: how many tokens lie
//                            how far below the largest. Given: the rank
//   gather   [slices, rows]  filters: lists what may pass
//   choose   [rows]          filters exactly, draws, writes the result

namespace sluice::cuda::sampling {

inline constexpr int slice_threads = 256;
inline constexpr int groups_each = 4;        // of 4 tokens, a thread
inline constexpr std::int64_t slice_tokens = // 4,096
    std::int64_t{slice_threads} * groups_each * 4;
inline constexpr std::int64_t run_tokens = 128; // a warp's neighbours

/// Bins of scaled logits, 1/16 wide; the last one is for all that is below.
inline constexpr int bins = 512;
inline constexpr float bins_of_one = 16;

/// Tokens that a list holds; a row of which more may pass is read itself.
inline constexpr std::int32_t list_room = 16384;

constexpr std::int64_t slices_of(std::int64_t vocabulary) {
  return (vocabulary + slice_tokens - 1) / slice_tokens;
}
constexpr std::int64_t runs_of(std::int64_t vocabulary) {
  return slices_of(vocabulary) * (slice_tokens / run_tokens);
}

struct slice_survey {
  std::uint64_t top = 0;    // the largest rank_key of possible tokens, or 0
  double raw_sum = 0;       // of exp(logit - raw_top), if wanted
  float raw_top = 0;        // likewise
  std::uint32_t broken = 0; // a logit is NaN or infinite, or has become so
};

struct slice_measure {
  double value = 0;        // largest scaled logit + noise
  std::uint64_t mass = 0;  // fixed_mass of all, if wanted
  std::int32_t token = -1; // that has the value
  std::int32_t better = 0; // tokens that stand before the given one
};

/// Per row, in device memory.
struct row_memory {
  slice_survey* surveys;   // [rows, slices]
  slice_measure* measures; // [rows, slices]
  std::int32_t* histogram; // [rows, bins]
  std::int32_t* listed;    // [rows, 4]: the first is the length of the list
  std::uint64_t* list;     // [rows, list_room] rank_keys of scaled logits
  float* largest;          // [rows, runs], raw
  float* changed;          // [rows, stride], where settings change logits
  std::int64_t stride;
};

/// Lays the parts one after the other; gives their bytes.
std::size_t lay_out(std::int64_t rows, std::int64_t vocabulary,
                    std::byte* workspace, row_memory& memory);

/// What every kernel gets.
struct call {
  choice_args args;
  row_memory memory;
};

void start_survey(const call& made, stream& in);
void start_measure(const call& made, stream& in);
void start_gather(const call& made, stream& in);
void start_choose(const call& made, stream& in);

} // namespace sluice::cuda::sampling

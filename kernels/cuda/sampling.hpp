// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "kernels/sampling.hpp"

#include <cstddef>
#include <cstdint>

// Tokens from logits on the device, as kernels/sampling.hpp does it on the CPU:
// `sample` for rows whose token is to be drawn, `score` for rows whose token is
// given. All of a step's rows go in one call, whatever each one wants: what
// differs lies in device memory, so a recorded graph serves every mixture.

namespace sluice::cuda {

/// How the tokens of one sequence are chosen: written when it begins.
struct choice_settings {
  sampling_params params;         // checked by the host
  std::uint32_t sequence = 0;     // of the noise's key
  std::uint64_t seed = 0;         // likewise
  std::int32_t counts = -1;       // row of choice_args::counts; below 0: no
                                  // penalties
  std::int32_t bias_first = 0;    // of choice_args::bias
  std::int32_t bias_count = 0;    // applied in order
  std::int32_t allowed = -1;      // row of choice_args::allowed; below 0: all
  std::int32_t want_logprobs = 0; // of a drawn token
  std::int32_t top_logprobs = 0;  // alternatives of a drawn token
  std::int32_t top_scores = 0;    // of a given one
  std::int32_t prompt_tokens = 0; // positions below it are the prompt's
};

/// What is chosen at one row of logits: written for every step.
struct choice_row {
  std::int32_t settings = -1; // index; below 0: the row is skipped
  std::int32_t position = 0;  // absolute, of the token to be chosen
  std::int32_t given = -1;    // the token there, which is scored; below 0: one
                              // is drawn
  std::int32_t drafts_first = 0; // of choice_args::drafts: what stands between
  std::int32_t drafts = 0;       // the counts and this position
  std::int32_t enters = -1;      // of choice_args::ids: the token before this
                                 // position, which enters the counts for good
                                 // before they are read; below 0: none
};

/// What came of a row.
struct choice {
  std::int32_t token = -1; // drawn or given; below 0: skipped, or not ok
  sample_status status = sample_status::ok;
  float logprob = 0;          // as sampled::logprob, or scored::logprob
  float raw_logprob = 0;      // as sampled::raw_logprob
  std::int32_t rank = 0;      // as scored::rank
  std::int32_t top_count = 0; // entries of choice_args::top
};

/// Penalty counts of a token: in the prompt at all, and how often since.
inline constexpr std::uint32_t count_in_prompt = 1u << 31;

/// Elements of a row of counts: 16-byte loads reach every row.
constexpr std::int64_t count_stride(std::int64_t vocabulary) {
  return (vocabulary + 3) / 4 * 4;
}

/// Words of a row of the mask.
constexpr std::int64_t mask_stride(std::int64_t vocabulary) {
  return (vocabulary + 63) / 64;
}

/// All but the sizes is device memory.
struct choice_args {
  device_rows logits; // [rows, vocabulary] up to most_vocabulary; the stride a
                      // multiple of 4, all of it readable
  const choice_row* rows = nullptr;          // [rows]
  const choice_settings* settings = nullptr; // by choice_row::settings
  std::uint32_t* counts = nullptr;           // [.., count_stride]
  const logit_bias* bias = nullptr;
  const std::uint64_t* allowed = nullptr; // [.., mask_stride]
  const std::int32_t* drafts = nullptr;
  const std::int32_t* ids = nullptr; // of the step; outside the vocabulary:
                                     // nothing enters
  choice* out = nullptr;             // [rows]
  token_logprob* top = nullptr;   // [rows, most_top]; may be null if that is 0
  std::int32_t most_top = 0;      // no more alternatives are given
  std::byte* workspace = nullptr; // choice_workspace_bytes()
  std::size_t workspace_bytes = 0;
};

inline constexpr std::int64_t most_vocabulary = std::int64_t{1} << 20;
inline constexpr std::int64_t most_choices = 65535; // rows of a call

/// @throws contract_violation for sizes out of range.
std::size_t choice_workspace_bytes(std::int64_t rows, std::int64_t vocabulary);

/// Draws or scores a token for every row.
///
/// A drawn token is that of kernels/sampling.hpp: the same scaled logits in all
/// their bits, the same noise, ties to the lowest id. Where the CPU adds
/// exp(logit) in f64, these kernels add it as integers of 2^-43, each rounded
/// from f32: so top-p may cut elsewhere where the CPU's sum comes within about
/// 1e-7 of its limit, and log-probabilities differ in the last bits. The noise
/// is the device's f64 logarithm: two tokens within one unit of its last place
/// may change places. A row's result is a function of its arguments alone.
///
/// A token id of a bias outside the vocabulary is left out; a given one makes
/// the row a skipped one.
/// @throws contract_violation for shapes, alignment or a workspace too small.
/// @note   counts change where something enters. Nobody else may read or change
///         that row of counts in the same call, and the row must have
///         penalties.
void choose_tokens(const choice_args& args, stream& in);

/// A token that is counted.
struct count_change {
  std::int32_t row = -1;   // of counts; below 0: skipped
  std::int32_t token = -1; // outside the vocabulary: skipped
  std::int32_t change = 0; // added to the generated occurrences; 0: it is in
                           // the prompt
};

/// Adds to penalty counts: prompts when a sequence begins, tokens taken back.
struct count_args {
  std::uint32_t* counts = nullptr; // [.., count_stride(vocabulary)]
  std::int64_t vocabulary = 0;
  const count_change* changes = nullptr; // [count]; tokens may come twice
  std::int64_t count = 0;
};
void count_tokens(const count_args& args, stream& in);

} // namespace sluice::cuda

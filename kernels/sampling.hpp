// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

/// How a row of logits becomes a token. The order is fixed: penalties, logit
/// bias, mask, temperature, top-k, top-p, min-p. Defaults change nothing.
struct sampling_params {
  float temperature = 1;        // >= 0; 0 takes the largest logit
  std::int32_t top_k = 0;       // keep the k largest; 0: all
  float top_p = 1;              // keep the fewest whose mass >= top_p; (0, 1]
  float min_p = 0;              // keep p >= min_p * largest p; [0, 1]
  float repetition_penalty = 1; // > 0; divides logits > 0, multiplies others
  float frequency_penalty = 0;  // subtracted once per generated occurrence
  float presence_penalty = 0;   // subtracted once if generated at all
};

struct logit_bias {
  std::int32_t token;
  float bias; // added to the logit; finite, or -infinity to forbid the token
};

/// A token that the sequence has seen, in its prompt or generated; listed once.
struct token_count {
  std::int32_t token;
  std::int32_t generated; // occurrences after the prompt; 0: prompt only
};

/// What fixes the noise of one draw, besides the token id.
struct sample_key {
  std::uint64_t seed;
  std::uint32_t sequence; // index of the sequence within its request
  std::uint32_t position; // absolute position of the token to be sampled
};

struct token_logprob {
  std::int32_t token;
  float logprob;
};

struct sample_args {
  std::span<const float> logits; // [vocabulary], as the model made them
  sampling_params params;
  std::span<const logit_bias> bias;
  std::span<const token_count> counts;
  std::span<const std::uint64_t> allowed; // bit t of word t / 64 allows token
                                          // t; empty: all allowed
  sample_key key;
  bool want_logprobs = false;     // fills both logprobs of the result
  std::span<token_logprob> top;   // receives the largest raw logprobs,
                                  // largest first, ties to the lowest id
  std::span<std::byte> workspace; // sample_workspace_bytes(vocabulary),
                                  // 8-byte aligned
};

enum class sample_status : std::uint8_t {
  ok,
  non_finite,      // a logit was NaN or infinite: the forward pass is broken
  nothing_allowed, // bias and mask forbid every token
};

struct sampled {
  sample_status status = sample_status::ok;
  std::int32_t token = -1; // valid if ok
  float logprob = 0;       // of the filtered distribution that was drawn from;
                           // 0 at temperature 0. Only if want_logprobs
  float raw_logprob = 0;   // log-softmax of the model's own logits, before
                           // penalties. Only if want_logprobs
  std::int32_t top_count = 0; // entries written to `top`
};

/// Workspace that `sample` needs for a vocabulary of this size.
std::size_t sample_workspace_bytes(std::int64_t vocabulary);

/// Draws a token by the Gumbel-max trick: the largest of
/// logit / temperature + gumbel_noise(key, token) among the tokens that the
/// filters keep; ties go to the lowest id everywhere. The result is a function
/// of the arguments alone, the same on every CPU path.
/// @throws contract_violation if a parameter is out of its range, a token id
///         out of the vocabulary, or the mask or workspace too small.
/// @note   allocates nothing.
/// @source Gumbel 1954; Maddison, Tarlow and Minka 2014, section 2.
sampled sample(const sample_args& args);

/// How likely a given token was.
struct scored {
  sample_status status = sample_status::ok; // or non_finite
  float logprob = 0;          // log-softmax of the logits at the token
  std::int32_t rank = 0;      // 1: the likeliest; ties go to the lowest id
  std::int32_t top_count = 0; // entries written to `top`
};

/// Log-likelihood of a token that is given, not drawn: temperature 1, before
/// penalties, bias and filters.
/// @param logits  [vocabulary], as the model made them.
/// @param token   within the vocabulary.
/// @param top     receives the largest logprobs, largest first, ties to the
///                lowest id.
/// @throws contract_violation for a token outside the vocabulary.
/// @note   the same on every CPU path; sums in f64 in the order of the ids;
///         allocates nothing.
scored score(std::span<const float> logits, std::int32_t token,
             std::span<token_logprob> top);

/// Philox4x32-10: four random words from a counter and a key.
/// @source Salmon et al. 2011, section 3.3 (Random123).
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// Standard Gumbel noise -log(-log(u)), u = (word + 0.5) / 2^32, with word
/// token % 4 of philox({token / 4, position, sequence, 0}, seed).
double gumbel_noise(const sample_key& key, std::int32_t token);

} // namespace sluice

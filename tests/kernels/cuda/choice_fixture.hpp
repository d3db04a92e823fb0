// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling.hpp"
#include "tests/kernels/cuda/device_array.hpp"

#include <cstdint>
#include <optional>
#include <vector>

// Rows of logits and what is asked of them, chosen on the device in one call
// and one by one on the CPU.

namespace sluice::test {

/// A row and all that its choice depends on.
struct choice_case {
  std::vector<float> logits;
  sampling_params params;
  std::vector<logit_bias> bias;
  std::vector<token_count> counts;
  std::vector<std::uint64_t> allowed;
  std::vector<std::int32_t> drafts;   // before the position, besides counts
  std::optional<std::int32_t> enters; // likewise, without drafts
  std::int32_t prompt_tokens = 0;     // positions below it are the prompt's
  sample_key key{};
  bool want_logprobs = false;
  std::int32_t top = 0;
  std::optional<std::int32_t> given;
  bool skipped = false;
};

struct chosen {
  cuda::choice result;
  std::vector<token_logprob> top;
};

/// All rows in one call; the logits get one row length.
std::vector<chosen> choose_on_device(cuda::stream& in,
                                     const std::vector<choice_case>& rows);

/// What kernels/sampling.hpp makes of a row.
chosen choose_on_host(const choice_case& row);

/// Checks tokens, states, ranks and alternatives exactly, log-probabilities
/// within the rounding that choose_tokens() allows itself.
void check_like_host(cuda::stream& in, const std::vector<choice_case>& rows);

/// Whether two choices are the same in every bit.
bool same_bits(const chosen& a, const chosen& b);

} // namespace sluice::test

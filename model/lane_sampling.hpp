// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/sampling.hpp"
#include "messages/lane_generated.h"

#include <cstdint>
#include <vector>

namespace sluice {

/// How a sequence's tokens are chosen: a message's fields, checked, in the
/// form that the sampling op takes.
struct lane_sampling {
  sampling_params params;
  std::vector<logit_bias> bias;
  std::uint64_t seed = 0;
  std::uint32_t index = 0; // of the sequence in its request
  bool want_logprobs = false;
  std::uint32_t top_logprobs = 0;
  std::uint32_t top_scores = 0; // alternatives of a scored token

  /// Whether earlier tokens matter to the next one's choice.
  bool has_penalties() const {
    return params.repetition_penalty != 1 || params.frequency_penalty != 0 ||
           params.presence_penalty != 0;
  }
};

/// @param vocab  token ids in the bias must be below it.
/// @throws row_error (invalid_argument) naming the field, its value and range.
lane_sampling read_sampling(const messages::SequenceState& state,
                            std::uint32_t vocab);

} // namespace sluice

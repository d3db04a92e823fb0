// SPDX-License-Identifier: Apache-2.0
#include "model/lane_sampling.hpp"

#include "model/row_error.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace sluice {

namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw row_error{messages::ErrorCode::invalid_argument, "sampling: " + text};
}

/// @param holds  false for a NaN too, as every comparison with it is.
float checked(const char* field, float value, bool holds, const char* range) {
  if (!holds || !std::isfinite(value))
    refuse(std::string{field} + " is " + std::to_string(value) +
           "; give a number " + range);
  return value;
}

sampling_params read_params(const messages::Sampling& s) {
  sampling_params p;
  p.temperature = checked("temperature", s.temperature(), s.temperature() >= 0,
                          "from 0 up");
  p.top_k = static_cast<std::int32_t>(std::min<std::uint32_t>(
      s.top_k(), std::numeric_limits<std::int32_t>::max()));
  p.top_p = checked("top_p", s.top_p(), s.top_p() > 0 && s.top_p() <= 1,
                    "above 0, up to 1");
  p.min_p = checked("min_p", s.min_p(), s.min_p() >= 0 && s.min_p() <= 1,
                    "from 0 to 1");
  p.repetition_penalty = checked("repetition_penalty", s.repetition_penalty(),
                                 s.repetition_penalty() > 0, "above 0");
  p.frequency_penalty = checked("frequency_penalty", s.frequency_penalty(),
                                true, "that is finite");
  p.presence_penalty =
      checked("presence_penalty", s.presence_penalty(), true, "that is finite");
  return p;
}

logit_bias read_bias(const messages::LogitBias& bias, std::uint32_t vocab) {
  if (bias.token() >= vocab)
    refuse("logit_bias names token " + std::to_string(bias.token()) +
           "; the vocabulary ends at " + std::to_string(vocab - 1));
  const bool forbids = bias.bias() == -std::numeric_limits<float>::infinity();
  if (!std::isfinite(bias.bias()) && !forbids)
    refuse("logit_bias of token " + std::to_string(bias.token()) +
           " is not a number; give a finite one or -infinity");
  return {static_cast<std::int32_t>(bias.token()), bias.bias()};
}

} // namespace

lane_sampling read_sampling(const messages::SequenceState& state,
                            std::uint32_t vocab) {
  if (!state.sampling())
    refuse("the sequence has none; fill in the required field");
  const auto& s = *state.sampling();
  lane_sampling result{.params = read_params(s),
                       .bias = {},
                       .seed = state.seed(),
                       .index = state.index(),
                       .want_logprobs = s.want_logprobs() || s.logprobs() > 0,
                       .top_logprobs = std::min(s.logprobs(), vocab),
                       .top_scores = std::min(state.top_scores(), vocab)};
  if (s.logit_bias())
    for (const auto* bias : *s.logit_bias())
      result.bias.push_back(read_bias(*bias, vocab));
  return result;
}

} // namespace sluice

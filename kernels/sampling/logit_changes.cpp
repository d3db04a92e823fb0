// SPDX-License-Identifier: Apache-2.0
#include "kernels/sampling/steps.hpp"

#include <algorithm>
#include <limits>

namespace sluice {

namespace {

bool has_penalties(const sampling_params& params) {
  return params.repetition_penalty != 1 || params.frequency_penalty != 0 ||
         params.presence_penalty != 0;
}

float penalized(float logit, const token_count& seen,
                const sampling_params& params) {
  const float penalty = params.repetition_penalty;
  logit = logit > 0 ? logit / penalty : logit * penalty;
  if (seen.generated > 0) {
    logit -= params.frequency_penalty * static_cast<float>(seen.generated);
    logit -= params.presence_penalty;
  }
  return logit;
}

void apply_mask(std::span<float> logits,
                std::span<const std::uint64_t> allowed) {
  for (std::size_t t = 0; t < logits.size(); ++t) {
    if ((allowed[t / 64] >> (t % 64) & 1) == 0) {
      logits[t] = -std::numeric_limits<float>::infinity();
    }
  }
}

} // namespace

bool changes_logits(const sample_args& args) {
  return (!args.counts.empty() && has_penalties(args.params)) ||
         !args.bias.empty() || !args.allowed.empty();
}

void change_logits(const sample_args& args, std::span<float> to) {
  std::copy(args.logits.begin(), args.logits.end(), to.begin());
  for (const token_count& seen : args.counts) {
    float& logit = to[static_cast<std::size_t>(seen.token)];
    logit = penalized(logit, seen, args.params);
  }
  for (const logit_bias& b : args.bias) {
    to[static_cast<std::size_t>(b.token)] += b.bias;
  }
  if (!args.allowed.empty()) {
    apply_mask(to, args.allowed);
  }
}

} // namespace sluice

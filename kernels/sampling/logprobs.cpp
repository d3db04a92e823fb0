// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/sampling/steps.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {

namespace {

// Log of the sum of exp of the model's own logits: what raw logprobs need.
double raw_log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) {
    sum += std::exp(x - top);
  }
  return top + std::log(sum);
}

// Insertion into a short sorted list; equal logits keep their id order.
std::int32_t list_largest(std::span<const float> logits, double log_sum,
                          std::span<token_logprob> top) {
  std::size_t size = 0;
  for (std::size_t t = 0; t < logits.size(); ++t) {
    std::size_t at = std::min(size, top.size());
    while (at > 0 && top[at - 1].logprob < logits[t]) {
      --at;
    }
    if (at < top.size()) {
      size = std::min(size + 1, top.size());
      std::move_backward(top.begin() + static_cast<std::ptrdiff_t>(at),
                         top.begin() + static_cast<std::ptrdiff_t>(size) - 1,
                         top.begin() + static_cast<std::ptrdiff_t>(size));
      top[at] = {static_cast<std::int32_t>(t), logits[t]};
    }
  }
  for (token_logprob& entry : top.first(size)) {
    entry.logprob = static_cast<float>(entry.logprob - log_sum);
  }
  return static_cast<std::int32_t>(size);
}

std::int32_t rank_of(std::span<const float> logits, std::size_t token) {
  std::int32_t rank = 1;
  for (std::size_t t = 0; t < logits.size(); ++t)
    rank +=
        logits[t] > logits[token] || (logits[t] == logits[token] && t < token);
  return rank;
}

} // namespace

scored score(std::span<const float> logits, std::int32_t token,
             std::span<token_logprob> top) {
  const auto at = static_cast<std::size_t>(token);
  require(token >= 0 && at < logits.size(),
          "score: the token is not in the vocabulary; check the ids");
  if (!std::all_of(logits.begin(), logits.end(),
                   [](float x) { return std::isfinite(x); }))
    return {.status = sample_status::non_finite};
  const double log_sum = raw_log_sum_exp(logits);
  return {.logprob = static_cast<float>(logits[at] - log_sum),
          .rank = rank_of(logits, at),
          .top_count = top.empty() ? 0 : list_largest(logits, log_sum, top)};
}

void add_raw_logprobs(const sample_args& args, sampled& result) {
  if (!args.want_logprobs && args.top.empty()) {
    return;
  }
  const double log_sum = raw_log_sum_exp(args.logits);
  const auto chosen = static_cast<std::size_t>(result.token);
  result.raw_logprob = static_cast<float>(args.logits[chosen] - log_sum);
  result.top_count = list_largest(args.logits, log_sum, args.top);
}

} // namespace sluice

// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/contracts.hpp"
#include "kernels/sampling/candidates.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <new>

namespace sluice {

namespace {

// By the exponent bits, which the compiler can vectorise.
bool all_finite(std::span<const float> logits) {
  constexpr std::uint32_t exponent = 0x7f800000;
  bool broken = false;
  for (const float x : logits) {
    broken |= (std::bit_cast<std::uint32_t>(x) & exponent) == exponent;
  }
  return !broken;
}

// Neither NaN, which would break every comparison, nor infinite.
bool all_ordered(candidate_list list) {
  return std::all_of(list.begin(), list.end(),
                     [](const candidate& c) { return c.logit < HUGE_VALF; });
}

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

candidate_list list_vocabulary(const sample_args& args) {
  auto* items = reinterpret_cast<candidate*>(args.workspace.data());
  for (std::size_t t = 0; t < args.logits.size(); ++t) {
    new (items + t) candidate{args.logits[t], static_cast<std::int32_t>(t)};
  }
  return {items, args.logits.size()};
}

candidate_list filter(candidate_list list, const sampling_params& params) {
  apply_temperature(list, params.temperature);
  list = keep_top_k(list, params.top_k);
  list = keep_top_p(list, params.top_p);
  return keep_min_p(list, params.min_p);
}

// Chooses among candidates that are possible and finite.
void choose(candidate_list list, const sample_args& args, sampled& result) {
  if (args.params.temperature == 0) {
    result.token = largest(list).token;
    return;
  }
  const candidate_list kept = filter(list, args.params);
  const candidate& drawn = draw(kept, args.key);
  result.token = drawn.token;
  if (args.want_logprobs) {
    result.logprob = static_cast<float>(drawn.logit - log_sum_exp(kept));
  }
}

bool usable(const sampling_params& p) {
  return std::isfinite(p.temperature) && p.temperature >= 0 && p.top_k >= 0 &&
         p.top_p > 0 && p.top_p <= 1 && p.min_p >= 0 && p.min_p <= 1 &&
         std::isfinite(p.repetition_penalty) && p.repetition_penalty > 0 &&
         std::isfinite(p.frequency_penalty) &&
         std::isfinite(p.presence_penalty);
}

} // namespace

std::size_t sample_workspace_bytes(std::int64_t vocabulary) {
  require(vocabulary >= 0 && vocabulary < (std::int64_t{1} << 31),
          "sample_workspace_bytes: vocabulary must be 0..2^31-1");
  return static_cast<std::size_t>(vocabulary) * sizeof(candidate);
}

void check(const sample_args& args) {
  const auto vocabulary = static_cast<std::int64_t>(args.logits.size());
  const auto known = [vocabulary](std::int32_t token) {
    return token >= 0 && token < vocabulary;
  };
  require(vocabulary > 0 && usable(args.params),
          "sample: no logits, or a parameter out of range; see "
          "sampling_params for the ranges");
  require(args.workspace.size() >= sample_workspace_bytes(vocabulary) &&
              reinterpret_cast<std::uintptr_t>(args.workspace.data()) % 8 == 0,
          "sample: workspace too small or not 8-byte aligned; ask "
          "sample_workspace_bytes");
  require(args.allowed.empty() ||
              args.allowed.size() * 64 >= args.logits.size(),
          "sample: mask shorter than the vocabulary; size it by the model");
  for (const logit_bias& b : args.bias) {
    require(known(b.token) && !std::isnan(b.bias) && b.bias < HUGE_VALF,
            "sample: bias of an unknown token, or NaN or +infinity; correct "
            "the request");
  }
  for (const token_count& seen : args.counts) {
    require(known(seen.token) && seen.generated >= 0,
            "sample: count of an unknown token, or below 0; check the ids");
  }
}

sampled sample(const sample_args& args) {
  check(args);
  sampled result;
  if (!all_finite(args.logits)) {
    result.status = sample_status::non_finite;
    return result;
  }
  candidate_list list = list_vocabulary(args);
  apply_penalties(list, args.params, args.counts);
  apply_bias(list, args.bias);
  apply_mask(list, args.allowed);
  list = keep_possible(list);
  if (list.empty()) {
    result.status = sample_status::nothing_allowed;
    return result;
  }
  if (!all_ordered(list)) {
    result.status = sample_status::non_finite; // a penalty or bias overflowed
    return result;
  }
  choose(list, args, result);
  if (args.want_logprobs || !args.top.empty()) {
    const double log_sum = raw_log_sum_exp(args.logits);
    const auto chosen = static_cast<std::size_t>(result.token);
    result.raw_logprob = static_cast<float>(args.logits[chosen] - log_sum);
    result.top_count = list_largest(args.logits, log_sum, args.top);
  }
  return result;
}

} // namespace sluice

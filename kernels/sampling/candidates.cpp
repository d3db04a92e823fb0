// SPDX-License-Identifier: Apache-2.0
#include "kernels/sampling/candidates.hpp"

#include "kernels/sampling/noise_source.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {

namespace {

constexpr float forbidden = -std::numeric_limits<float>::infinity();

// The noise is -log(-log(u)) with u <= 1 - 2^-33, so at most 33 log(2).
constexpr double most_noise = 22.9;

bool before(const candidate& a, const candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
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

// Sorts the next `more` of the candidates behind the first `sorted` ones.
void sort_more(candidate_list list, std::size_t sorted, std::size_t more) {
  const auto first = list.begin() + static_cast<std::ptrdiff_t>(sorted);
  const auto middle = first + static_cast<std::ptrdiff_t>(more);
  std::nth_element(first, middle, list.end(), before);
  std::sort(first, middle, before);
}

double mass(candidate_list list) {
  double sum = 0;
  for (const candidate& c : list) {
    sum += std::exp(static_cast<double>(c.logit));
  }
  return sum;
}

} // namespace

void apply_penalties(candidate_list all, const sampling_params& params,
                     std::span<const token_count> counts) {
  for (const token_count& seen : counts) {
    float& logit = all[static_cast<std::size_t>(seen.token)].logit;
    logit = penalized(logit, seen, params);
  }
}

void apply_bias(candidate_list all, std::span<const logit_bias> bias) {
  for (const logit_bias& b : bias) {
    all[static_cast<std::size_t>(b.token)].logit += b.bias;
  }
}

void apply_mask(candidate_list all, std::span<const std::uint64_t> allowed) {
  if (allowed.empty()) {
    return;
  }
  for (std::size_t t = 0; t < all.size(); ++t) {
    if ((allowed[t / 64] >> (t % 64) & 1) == 0) {
      all[t].logit = forbidden;
    }
  }
}

candidate_list keep_possible(candidate_list list) {
  const auto end =
      std::remove_if(list.begin(), list.end(),
                     [](const candidate& c) { return c.logit == forbidden; });
  return {list.begin(), end};
}

void apply_temperature(candidate_list list, float temperature) {
  const double top = largest(list).logit;
  for (candidate& c : list) {
    c.logit = static_cast<float>((c.logit - top) / temperature);
  }
}

candidate_list keep_top_k(candidate_list list, std::int32_t k) {
  const auto size = static_cast<std::size_t>(k);
  if (size == 0 || size >= list.size()) {
    return list;
  }
  sort_more(list, 0, size);
  return list.first(size);
}

candidate_list keep_top_p(candidate_list list, float top_p) {
  if (top_p >= 1) {
    return list;
  }
  const double wanted = mass(list) * top_p;
  double sum = 0;
  std::size_t sorted = 0;
  for (std::size_t more = 64; sorted < list.size(); more *= 4) {
    const std::size_t end = std::min(list.size(), sorted + more);
    sort_more(list, sorted, end - sorted);
    for (; sorted < end; ++sorted) {
      sum += std::exp(static_cast<double>(list[sorted].logit));
      if (sum >= wanted) {
        return list.first(sorted + 1);
      }
    }
  }
  return list; // rounding left the sum a hair below: everything stays
}

candidate_list keep_min_p(candidate_list list, float min_p) {
  if (min_p <= 0) {
    return list;
  }
  const double least = std::log(static_cast<double>(min_p));
  const auto end =
      std::remove_if(list.begin(), list.end(),
                     [least](const candidate& c) { return c.logit < least; });
  return {list.begin(), end};
}

const candidate& largest(candidate_list list) {
  return *std::min_element(list.begin(), list.end(), before);
}

const candidate& draw(candidate_list list, const sample_key& key) {
  noise_source source(key);
  const candidate* best = &list.front();
  double best_value = -std::numeric_limits<double>::infinity();
  for (const candidate& c : list) {
    if (c.logit + most_noise < best_value ||
        c.logit + source.bound(c.token) < best_value) {
      continue; // no noise, or not this token's, could lift it
    }
    const double value = c.logit + source.noise(c.token);
    if (value > best_value || (value == best_value && c.token < best->token)) {
      best = &c;
      best_value = value;
    }
  }
  return *best;
}

double log_sum_exp(candidate_list list) {
  return std::log(mass(list));
}

} // namespace sluice

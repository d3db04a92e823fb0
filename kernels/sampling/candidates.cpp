// SPDX-License-Identifier: Apache-2.0
#include "kernels/sampling/candidates.hpp"

#include "kernels/sampling/noise_source.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {

namespace {

constexpr float forbidden = -std::numeric_limits<float>::infinity();

// The noise is -log(-log(u)) with u <= 1 - 2^-33.
static_assert(most_noise > 33 * 0.6931472);

bool before(const candidate& a, const candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

// Sorts the next `more` of the candidates behind the first `sorted` ones.
void sort_more(candidate_list list, std::size_t sorted, std::size_t more) {
  const auto first = list.begin() + static_cast<std::ptrdiff_t>(sorted);
  const auto middle = first + static_cast<std::ptrdiff_t>(more);
  std::nth_element(first, middle, list.end(), before);
  std::sort(first, middle, before);
}

} // namespace

void sort_largest(candidate_list list, std::size_t count) {
  sort_more(list, 0, count);
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
  sort_largest(list, size);
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

double mass(candidate_list list) {
  double sum = 0;
  for (const candidate& c : list) {
    sum += std::exp(static_cast<double>(c.logit));
  }
  return sum;
}

} // namespace sluice

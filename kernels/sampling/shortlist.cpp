// SPDX-License-Identifier: Apache-2.0
#include "kernels/sampling/shortlist.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace sluice {

namespace {

using kept_list = std::optional<candidate_list>;

// How far below the largest, in scaled logits, top-p looks before it gives up.
constexpr double depths[] = {3, 6, 10, 16, 25};

// A logit a hair below the one that scales to `scaled`.
float logit_below(const surveyed_row& row, double scaled) {
  const double lower = scaled - (std::fabs(scaled) + 1) * 1e-6;
  const auto at = static_cast<float>(row.top + scaled * row.temperature);
  const auto below = static_cast<float>(row.top + lower * row.temperature);
  const float next =
      std::nextafter(at, -std::numeric_limits<float>::infinity());
  return std::max(std::min(below, next), std::numeric_limits<float>::lowest());
}

// The logits of at least `least`, scaled, in id order.
candidate_list list_from(const surveyed_row& row, float least,
                         candidate_list room) {
  std::size_t size = 0;
  for (std::int64_t b = 0; b * logit_block < row.vocabulary; ++b) {
    if (row.largest[b] < least) {
      continue;
    }
    const auto end = std::min(row.vocabulary, (b + 1) * logit_block);
    for (std::int64_t t = b * logit_block; t < end; ++t) {
      room[size] = {row.logits[t], static_cast<std::int32_t>(t)};
      size += row.logits[t] >= least;
    }
  }
  for (candidate& c : room.first(size)) {
    c.logit = row.scaled(c.logit);
  }
  return room.first(size);
}

// Whether every token below `least` stands behind a candidate of this logit.
bool stands_before_the_rest(const surveyed_row& row, float least, float logit) {
  return row.scaled(least) < logit;
}

kept_list short_top_k(const surveyed_row& row, std::int32_t k,
                      const shortlist_memory& memory) {
  const auto size = static_cast<std::size_t>(k);
  const auto blocks = memory.order.size();
  if (size >= blocks) {
    return std::nullopt;
  }
  // So many blocks have a logit as large as this one.
  std::copy_n(row.largest, blocks, memory.order.begin());
  const auto at = memory.order.begin() + (k - 1);
  std::nth_element(memory.order.begin(), at, memory.order.end(),
                   std::greater<>());
  if (!std::isfinite(*at)) {
    return std::nullopt;
  }
  const float least = logit_below(row, row.scaled(*at));
  const candidate_list list = list_from(row, least, memory.room);
  if (list.size() <= size && row.forbids) {
    return std::nullopt; // there may be no more than k
  }
  sort_largest(list, size);
  if (!stands_before_the_rest(row, least, list[size - 1].logit)) {
    return std::nullopt;
  }
  return list.first(size);
}

// Bounds of the mass that top-p wants, as the plain way would compute it.
struct wanted_mass {
  double low;
  double high;
};

// @param known, rough  sum(exp(scaled)) of disjoint parts of the row.
wanted_mass wanted_of(const surveyed_row& row, float top_p, double known,
                      double rough) {
  // The plain sum over the row, in id order, rounds once a token.
  const double error =
      mass_error + static_cast<double>(row.vocabulary) * 0x1p-52;
  const double slack = rough * rough_mass_error + 1e-20;
  return {(known + rough - slack) * (1 - error) * top_p,
          (known + rough + slack) * (1 + error) * top_p};
}

// Where the running sum of exp reaches the wanted mass: nothing if the bounds
// do not tell, or if it never does.
kept_list cut_by_mass(candidate_list list, const wanted_mass& wanted) {
  double sum = 0;
  std::size_t sorted = 0;
  for (std::size_t more = 64; sorted < list.size(); more *= 4) {
    const std::size_t end = std::min(list.size(), sorted + more);
    sort_largest(list.subspan(sorted), end - sorted);
    for (; sorted < end; ++sorted) {
      sum += std::exp(static_cast<double>(list[sorted].logit));
      if (sum >= wanted.low) {
        return sum >= wanted.high ? kept_list(list.first(sorted + 1))
                                  : std::nullopt;
      }
    }
  }
  return std::nullopt;
}

kept_list short_top_p(const surveyed_row& row, float top_p,
                      const row_passes& passes, candidate_list room) {
  std::optional<double> total; // roughly
  for (const double depth : depths) {
    const float least = logit_below(row, -depth);
    const candidate_list list = list_from(row, least, room);
    const double listed = mass(list);
    if (total && wanted_of(row, top_p, 0, *total).high > listed) {
      continue;
    }
    const double rest = passes.rough_mass(row, least);
    total = listed + rest;
    wanted_mass wanted = wanted_of(row, top_p, listed, rest);
    if (wanted.high > listed) {
      continue;
    }
    kept_list kept = cut_by_mass(list, wanted);
    if (!kept) {
      kept = cut_by_mass(list, wanted_of(row, top_p, passes.mass(row), 0));
    }
    if (kept && stands_before_the_rest(row, least, kept->back().logit)) {
      return kept;
    }
    return std::nullopt;
  }
  return std::nullopt;
}

kept_list short_min_p(const surveyed_row& row, float min_p,
                      candidate_list room) {
  const double lowest = std::log(static_cast<double>(min_p));
  const float least = logit_below(row, lowest);
  if (!(row.scaled(least) < lowest)) {
    return std::nullopt;
  }
  return list_from(row, least, room);
}

} // namespace

std::optional<candidate_list> shortlist(const surveyed_row& row,
                                        const sampling_params& params,
                                        const row_passes& passes,
                                        const shortlist_memory& memory) {
  kept_list kept;
  if (params.top_k > 0 && params.top_k < row.vocabulary) {
    kept = short_top_k(row, params.top_k, memory);
    if (kept) {
      kept = keep_top_p(*kept, params.top_p);
    }
  } else if (params.top_p < 1) {
    kept = short_top_p(row, params.top_p, passes, memory.room);
  } else {
    kept = short_min_p(row, params.min_p, memory.room);
  }
  if (kept) {
    kept = keep_min_p(*kept, params.min_p);
  }
  return kept;
}

} // namespace sluice

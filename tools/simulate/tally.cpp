// SPDX-License-Identifier: Apache-2.0
#include "tools/simulate/tally.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace sluice::simulate {
namespace {

constexpr double smallest = 1e-6; // seconds; all below are one bucket
constexpr double step = 0.00995033085316808; // log 1.01

} // namespace

void time_histogram::add(instant time) {
  const auto seconds = std::chrono::duration<double>{time}.count();
  const auto at = seconds <= smallest
                      ? 0
                      : static_cast<std::size_t>(
                            std::ceil(std::log(seconds / smallest) / step));
  if (at >= buckets_.size())
    buckets_.resize(at + 1);
  ++buckets_[at];
  ++count_;
  sum_ += seconds;
}

double time_histogram::mean_seconds() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

/// The middle of the bucket of the time that @p rank others do not exceed.
double time_histogram::seconds_at(std::uint64_t rank) const {
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    up_to += buckets_[i];
    if (up_to > rank)
      return i == 0
                 ? smallest
                 : smallest * std::exp((static_cast<double>(i) - 0.5) * step);
  }
  return 0;
}

double time_histogram::percentile_seconds(double percent) const {
  if (count_ == 0)
    return 0;
  const auto rank = percent / 100 * static_cast<double>(count_ - 1);
  const auto below = static_cast<std::uint64_t>(rank);
  const auto above = std::min(below + 1, count_ - 1);
  const auto part = rank - static_cast<double>(below);
  return (1 - part) * seconds_at(below) + part * seconds_at(above);
}

void tally::finish(instant first, instant last, std::uint32_t tokens) {
  ++finished;
  whole.add(last);
  const auto gaps = static_cast<std::int64_t>(tokens) - 1;
  const bool fluent = gaps <= 0 || (last - first) / gaps <= goal.between_tokens;
  good += fluent && first <= goal.first_token;
}

} // namespace sluice::simulate

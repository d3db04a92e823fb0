// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_choices.hpp"

#include <algorithm>
#include <bit>

namespace sluice {

namespace {

constexpr std::uint32_t least_top = 8; // where there are alternatives at all

std::uint32_t room_for_top(std::uint32_t alternatives) {
  return alternatives == 0 ? 0
                           : std::max(std::bit_ceil(alternatives), least_top);
}

std::int32_t signed_of(std::size_t number) {
  return static_cast<std::int32_t>(number);
}

} // namespace

choice_limits choice_limits::of(std::uint32_t rows, std::uint32_t vocab,
                                std::uint32_t context) {
  constexpr std::uint32_t usual_bias = 1u << 14;
  constexpr std::uint32_t usual_counts = 1u << 18;
  constexpr std::uint32_t usual_counted = 64;
  constexpr std::uint32_t usual_top = 32; // of each row
  return {.rows = rows,
          .bias = std::max(vocab, usual_bias),
          .counts = std::max(std::min(vocab, context), usual_counts),
          .counted = std::min(rows, usual_counted),
          .top = std::max(room_for_top(vocab), rows * usual_top)};
}

choice_slice::choice_slice(const choice_limits& limits) : limits_{limits} {
  rows.reserve(limits.rows);
  settings.reserve(limits.rows);
}

void choice_slice::clear(std::uint32_t first) {
  rows.clear();
  settings.clear();
  bias.clear();
  count_rows.clear();
  count_tokens.clear();
  count_changes.clear();
  counted = 0;
  first_ = first;
  most_top_ = 0;
  set_ = nullptr;
}

void choice_slice::fill(const lane_batch& batch, std::uint32_t first) {
  clear(first);
  for (const auto& row : batch.rows())
    if (row.end_wanted() > first && !add_row(row))
      return;
}

bool choice_slice::add_row(const batch_row& row) {
  for (auto at = std::max(first_, row.first_wanted); at < row.end_wanted();
       ++at) {
    if (rows.size() == limits_.rows)
      return false;
    if (add_position(row, at))
      continue;
    if (!rows.empty())
      return false;
    rows.emplace_back(); // no slice holds it: it is skipped, which is told
  }
  return true;
}

bool choice_slice::add_position(const batch_row& row, std::uint32_t wanted) {
  const auto& sampling = row.sequence->sampling();
  const auto position = row.position_of(wanted) + 1;
  const bool given = row.is_scored(wanted);
  const bool counts = !given && sampling.has_penalties();
  const auto seen = counts ? row.sequence->counts_before(position)
                           : std::span<const token_count>{};
  if (!fits(row, seen.size(), counts))
    return false;
  most_top_ = signed_of(top_beside(sampling));
  if (set_ != &row)
    add_settings(row);
  if (counts)
    add_counts(seen);
  rows.push_back(
      {.settings = signed_of(settings.size()) - 1,
       .position = signed_of(position),
       .given = given ? row.next_tokens[wanted - row.first_wanted] : -1});
  return true;
}

bool choice_slice::fits(const batch_row& row, std::size_t seen,
                        bool counts) const {
  const auto& sampling = row.sequence->sampling();
  const auto biased = set_ == &row ? 0 : sampling.bias.size();
  return top_beside(sampling) * (rows.size() + 1) <= limits_.top &&
         bias.size() + biased <= limits_.bias &&
         count_rows.size() + seen <= limits_.counts &&
         (!counts || counted < signed_of(limits_.counted));
}

std::uint32_t choice_slice::top_beside(const lane_sampling& sampling) const {
  return std::max(
      static_cast<std::uint32_t>(most_top_),
      room_for_top(std::max(sampling.top_logprobs, sampling.top_scores)));
}

void choice_slice::add_settings(const batch_row& row) {
  const auto& sampling = row.sequence->sampling();
  settings.push_back({.params = sampling.params,
                      .sequence = sampling.index,
                      .seed = sampling.seed,
                      .bias_first = signed_of(bias.size()),
                      .bias_count = signed_of(sampling.bias.size()),
                      .want_logprobs = sampling.want_logprobs ? 1 : 0,
                      .top_logprobs = signed_of(sampling.top_logprobs),
                      .top_scores = signed_of(sampling.top_scores)});
  bias.insert(bias.end(), sampling.bias.begin(), sampling.bias.end());
  set_ = &row;
}

// A position's counts are its own, and its settings say where they are.
void choice_slice::add_counts(std::span<const token_count> seen) {
  if (!rows.empty() && rows.back().settings == signed_of(settings.size()) - 1)
    settings.push_back(settings.back());
  settings.back().counts = counted;
  for (const auto& each : seen) {
    count_rows.push_back(counted);
    count_tokens.push_back(each.token);
    count_changes.push_back(each.generated);
  }
  ++counted;
}

} // namespace sluice

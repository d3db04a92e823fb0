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

choice_limits choice_limits::of(std::uint32_t rows, std::uint32_t vocab) {
  constexpr std::uint32_t usual_bias = 1u << 14;
  constexpr std::uint32_t usual_top = 32; // of each row
  return {.rows = rows,
          .bias = std::max(vocab, usual_bias),
          .top = std::max(room_for_top(vocab), rows * usual_top)};
}

choice_slice::choice_slice(const choice_limits& limits) : limits_{limits} {
  rows.reserve(limits.rows);
  settings.reserve(limits.rows);
  drafts.reserve(limits.rows);
}

void choice_slice::clear(std::uint32_t first) {
  rows.clear();
  settings.clear();
  bias.clear();
  drafts.clear();
  first_ = first;
  most_top_ = 0;
  set_ = nullptr;
}

void choice_slice::fill(const lane_batch& batch, std::uint32_t first,
                        cuda_counts& counts) {
  clear(first);
  counts.begin();
  index_of_ = batch.positions().wanted;
  for (const auto& row : batch.rows())
    if (row.end_wanted() > first && !add_row(row, counts))
      return;
}

bool choice_slice::add_row(const batch_row& row, cuda_counts& counts) {
  for (auto at = std::max(first_, row.first_wanted); at < row.end_wanted();
       ++at) {
    if (rows.size() == limits_.rows)
      return false;
    if (add_position(row, at, counts))
      continue;
    if (!rows.empty())
      return false;
    rows.emplace_back(); // no slice holds it: it is skipped, which is told
  }
  return true;
}

bool choice_slice::add_position(const batch_row& row, std::uint32_t wanted,
                                cuda_counts& counts) {
  const auto& sampling = row.sequence->sampling();
  const bool given = row.is_scored(wanted);
  const bool counted = !given && sampling.has_penalties();
  if (!fits(row, counted ? &counts : nullptr))
    return false;
  most_top_ = signed_of(top_beside(sampling));
  if (set_ != &row)
    add_settings(row);
  rows.push_back(
      {.settings = signed_of(settings.size()) - 1,
       .position = signed_of(row.position_of(wanted) + 1),
       .given = given ? row.next_tokens[wanted - row.first_wanted] : -1});
  if (counted)
    add_counts(row, wanted, counts);
  return true;
}

bool choice_slice::fits(const batch_row& row, const cuda_counts* counts) const {
  const auto& sampling = row.sequence->sampling();
  const auto biased = set_ == &row ? 0 : sampling.bias.size();
  return top_beside(sampling) * (rows.size() + 1) <= limits_.top &&
         bias.size() + biased <= limits_.bias &&
         (!counts || counts->has_room_for(*row.sequence));
}

std::uint32_t choice_slice::top_beside(const lane_sampling& sampling) const {
  return std::max(
      static_cast<std::uint32_t>(most_top_),
      room_for_top(std::max(sampling.top_logprobs, sampling.top_scores)));
}

void choice_slice::add_settings(const batch_row& row) {
  const auto& sampling = row.sequence->sampling();
  settings.push_back(
      {.params = sampling.params,
       .sequence = sampling.index,
       .seed = sampling.seed,
       .bias_first = signed_of(bias.size()),
       .bias_count = signed_of(sampling.bias.size()),
       .want_logprobs = sampling.want_logprobs ? 1 : 0,
       .top_logprobs = signed_of(sampling.top_logprobs),
       .top_scores = signed_of(sampling.top_scores),
       .prompt_tokens = signed_of(row.sequence->prompt_tokens())});
  bias.insert(bias.end(), sampling.bias.begin(), sampling.bias.end());
  set_ = &row;
}

// The first position that a row samples here finds all tokens before it in the
// counts; the next ones find as drafts what has come since.
void choice_slice::add_counts(const batch_row& row, std::uint32_t wanted,
                              cuda_counts& counts) {
  auto& own = settings.back();
  auto& at = rows.back();
  const auto position = static_cast<std::uint32_t>(at.position);
  if (own.counts < 0) {
    const bool alone = wanted == row.last_sampled();
    own.counts = counts.add(*row.sequence, position, alone);
    if (alone)
      at.enters = index_of_[wanted];
    return;
  }
  const auto& before = rows[rows.size() - 2];
  drafts.push_back(row.sequence->tokens()[position - 1]);
  at.drafts = before.drafts + 1;
  at.drafts_first = signed_of(drafts.size()) - at.drafts;
}

} // namespace sluice

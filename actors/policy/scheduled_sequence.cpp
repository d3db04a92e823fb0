// SPDX-License-Identifier: Apache-2.0
#include "actors/policy/scheduled_sequence.hpp"

#include <algorithm>

namespace sluice::policy {

scheduled_sequence::scheduled_sequence(new_sequence sequence,
                                       std::uint64_t order,
                                       std::uint32_t context_tokens)
    : key_{sequence.key}, priority_{sequence.priority}, order_{order},
      parent_{sequence.parent}, first_parent_{sequence.parent},
      group_{sequence.group}, tokens_{std::move(sequence.prompt)},
      given_tokens_{static_cast<std::uint32_t>(tokens_.size())},
      scoring_{sequence.scoring} {
  const auto room = context_tokens - std::min(context_tokens, given_tokens_);
  max_tokens_ =
      sequence.max_tokens == 0 ? room : std::min(sequence.max_tokens, room);
  if (scoring_.only)
    max_tokens_ = 0;
  known_tokens_ = needing_kv();
}

scheduled_sequence scheduled_sequence::fork(std::uint64_t child,
                                            std::uint32_t token) const {
  auto fork = *this;
  fork.key_ = child;
  fork.parent_ = key_;
  fork.awaited_ = fork.shared_ = static_cast<std::uint32_t>(tokens_.size());
  fork.place_ = is_outside() ? sequence_place::dropped : sequence_place::coming;
  fork.tokens_.push_back(token);
  fork.scoring_ = {};
  fork.planned_ = fork.computed_ = fork.plans_ = 0;
  fork.newborn_ = !is_outside();
  return fork;
}

/// The last token of a text that is only scored needs no KV.
std::uint32_t scheduled_sequence::needing_kv() const {
  return static_cast<std::uint32_t>(tokens_.size()) - (scoring_.only ? 1 : 0);
}

void scheduled_sequence::enter(std::uint32_t computed) {
  place_ = sequence_place::inside;
  known_tokens_ = needing_kv();
  entered_ = newborn_ ? std::min(entered_, computed) : computed;
  planned_ = computed_ = computed;
  newborn_ = false;
  joined_ = false;
  parent_ = 0;
}

void scheduled_sequence::come_back() {
  place_ = sequence_place::inside;
  entered_ = planned_;
}

void scheduled_sequence::start_over() {
  const bool waits = place_ == sequence_place::coming || first_parent_ != 0;
  leave(group_ == 0 && waits ? sequence_place::coming
                             : sequence_place::dropped);
  parent_ = group_ == 0 ? first_parent_ : 0;
  prompt_done_ = false;
  plans_ = 0;
  samples_ = static_cast<std::uint32_t>(tokens_.size()) - given_tokens_;
  planned_ = computed_ = entered_ = 0;
}

void scheduled_sequence::follow(const scheduled_sequence& leader) {
  leave(sequence_place::coming);
  parent_ = leader.key_;
  // All that follow enter at once, when the leader has all that it knows now.
  awaited_ = static_cast<std::uint32_t>(leader.tokens_.size());
  const auto [ours, theirs] =
      std::mismatch(tokens_.begin(), tokens_.end(), leader.tokens_.begin(),
                    leader.tokens_.end());
  shared_ = static_cast<std::uint32_t>(ours - tokens_.begin());
}

std::uint32_t scheduled_sequence::most_cached() const {
  const auto all_but_one = static_cast<std::uint32_t>(tokens_.size()) - 1;
  if (parent_ != 0)
    return std::min(group_ != 0 ? shared_ : given_tokens_, all_but_one);
  return scoring_.from > 0 ? scoring_.from - 1 : all_but_one;
}

// -- rows
// ----------------------------------------------------------------------

planned_row scheduled_sequence::decode_row() const {
  planned_row row{.sequence = key_, .start = planned_, .sampled = true};
  if (planned_ < tokens_.size())
    row.tokens.push_back(tokens_[planned_]);
  else
    row.from = last_sample_;
  return row;
}

planned_row scheduled_sequence::prompt_row(std::uint32_t length) const {
  const auto end = planned_ + length;
  planned_row row{.sequence = key_, .start = planned_};
  row.tokens.assign(tokens_.begin() + planned_, tokens_.begin() + end);
  row.sampled = end == known_tokens_ && !scoring_.only;
  row.joins = !joined_;
  add_scores(row);
  return row;
}

void scheduled_sequence::add_scores(planned_row& row) const {
  if (scoring_.from == 0)
    return;
  // A position is scored by the token after it, which may be of a later row.
  const auto begin = std::max(row.start, scoring_.from - 1);
  const auto end = std::min(row.end(), given_tokens_ - 1);
  if (begin >= end)
    return;
  row.score_from = begin - row.start;
  row.next_tokens.assign(tokens_.begin() + begin + 1,
                         tokens_.begin() + end + 1);
}

// -- progress
// ----------------------------------------------------------------------

void scheduled_sequence::plan(const planned_row& row, row_reference where) {
  planned_ = row.end();
  joined_ = true;
  ++plans_;
  if (row.sampled) {
    ++samples_;
    last_sample_ = where;
  }
}

void scheduled_sequence::done(std::uint32_t end, std::uint32_t scores) {
  --plans_;
  computed_ = end;
  // What is scored is scored, even if its KV must be computed again.
  scoring_.from += scores;
  prompt_done_ = prompt_done_ || end + (scoring_.only ? 1 : 0) >= given_tokens_;
}

bool scheduled_sequence::append(std::uint32_t token) {
  tokens_.push_back(token);
  return tokens_.size() - given_tokens_ >= max_tokens_;
}

} // namespace sluice::policy

// SPDX-License-Identifier: Apache-2.0
#include "model/lane_batch.hpp"

#include <algorithm>
#include <string>

namespace sluice {

namespace {

[[noreturn]] void refuse(messages::ErrorCode code,
                         const lane_sequence& sequence,
                         const std::string& text) {
  throw row_error{code,
                  "sequence " + std::to_string(sequence.key()) + ": " + text};
}

std::uint32_t length_of(const row_request& row) {
  return static_cast<std::uint32_t>(row.tokens.size());
}

bool is_scored(const row_request& row, std::uint32_t offset) {
  return offset >= row.score_from &&
         offset - row.score_from < row.next_tokens.size();
}

std::uint64_t end_of(const row_request& row) {
  return std::uint64_t{row.start} + row.tokens.size();
}

// A step before may have been taken back already, and with it this one's.
void take_positions(const batch_row& row) {
  if (row.sequence->length() > row.start)
    row.sequence->truncate(row.start);
}

} // namespace

std::string gap_text(std::uint64_t sequence, std::uint32_t start,
                     std::uint32_t length) {
  return "sequence " + std::to_string(sequence) +
         ": the row starts at position " + std::to_string(start) +
         " but its KV ends at " + std::to_string(length) +
         "; compute the positions between first";
}

lane_batch::lane_batch(const batch_limits& limits)
    : limits_{limits}, writers_(limits.pool_pages) {
  rows_.reserve(limits.step_tokens);
  tables_.reserve(limits.step_tokens);
  tokens_.reserve(limits.step_tokens);
  positions_.reserve(limits.step_tokens);
  slots_.reserve(limits.step_tokens);
  sequence_of_.reserve(limits.step_tokens);
  wanted_.reserve(limits.step_tokens);
  taken_.reserve(limits.step_tokens);
}

void lane_batch::clear() {
  ++step_;
  rows_.clear();
  tables_.clear();
  tokens_.clear();
  positions_.clear();
  slots_.clear();
  sequence_of_.clear();
  wanted_.clear();
  taken_.clear();
}

void lane_batch::add(lane_sequence& sequence, const row_request& row) {
  check_row(sequence, row);
  check_scores(sequence, row);
  check_start(sequence, row);
  check_pages(sequence, row);
  claim_pages(sequence, row);
  sequence.truncate(row.start);
  sequence.append(row.tokens);
  rows_.push_back({.sequence = &sequence,
                   .plan_row = row.plan_row,
                   .start = row.start,
                   .count = length_of(row),
                   .first_wanted = static_cast<std::uint32_t>(wanted_.size()),
                   .score_from = row.score_from,
                   .next_tokens = row.next_tokens,
                   .samples = length_of(row) - row.sample_from});
  if (row.taken_from)
    taken_.push_back(
        {static_cast<std::uint32_t>(tokens_.size()), *row.taken_from});
  for (std::uint32_t i = 0; i < row.tokens.size(); ++i) {
    if (i >= row.sample_from || is_scored(row, i))
      wanted_.push_back(static_cast<std::int32_t>(tokens_.size()));
    tokens_.push_back(row.tokens[i]);
    positions_.push_back(static_cast<std::int32_t>(row.start + i));
    slots_.push_back(sequence.pages().slot(row.start + i));
    sequence_of_.push_back(static_cast<std::int32_t>(tables_.size()));
  }
  tables_.push_back(sequence.pages().pages());
}

void lane_batch::take_back() {
  for (const auto& row : rows_)
    take_positions(row);
}

void lane_batch::take_back(std::uint32_t plan_row) {
  if (const auto* row = find(plan_row))
    take_positions(*row);
}

const batch_row* lane_batch::find(std::uint32_t plan_row) const {
  const auto at = std::lower_bound(
      rows_.begin(), rows_.end(), plan_row,
      [](const batch_row& row, auto index) { return row.plan_row < index; });
  return at != rows_.end() && at->plan_row == plan_row ? &*at : nullptr;
}

step_positions lane_batch::positions() const {
  return {.tokens = tokens_,
          .positions = positions_,
          .slots = slots_,
          .sequence_of = sequence_of_,
          .tables = tables_,
          .wanted = wanted_,
          .taken = taken_};
}

void lane_batch::check_row(const lane_sequence& sequence,
                           const row_request& row) const {
  using messages::ErrorCode;
  if (sequence.fault())
    throw *sequence.fault();
  if (row.tokens.empty() || row.sample_from > row.tokens.size())
    refuse(ErrorCode::internal, sequence,
           "the row has " + std::to_string(row.tokens.size()) +
               " tokens and samples from offset " +
               std::to_string(row.sample_from) +
               "; give a token and an offset within the row");
  if (tokens_.size() + row.tokens.size() > limits_.step_tokens)
    refuse(ErrorCode::internal, sequence,
           "the plan has more than max_step_tokens = " +
               std::to_string(limits_.step_tokens) +
               " positions; split it into steps");
  if (!row.taken_from)
    check_tokens(sequence, row.tokens);
}

void lane_batch::check_tokens(const lane_sequence& sequence,
                              std::span<const std::int32_t> tokens) const {
  for (const auto token : tokens)
    if (static_cast<std::uint32_t>(token) >= limits_.vocab)
      refuse(messages::ErrorCode::invalid_argument, sequence,
             "token " + std::to_string(static_cast<std::uint32_t>(token)) +
                 " is not in the vocabulary; ids end at " +
                 std::to_string(limits_.vocab - 1));
}

void lane_batch::check_scores(const lane_sequence& sequence,
                              const row_request& row) const {
  if (row.next_tokens.empty())
    return;
  if (row.score_from + std::uint64_t{row.next_tokens.size()} > row.sample_from)
    refuse(messages::ErrorCode::internal, sequence,
           "the row scores " + std::to_string(row.next_tokens.size()) +
               " positions from offset " + std::to_string(row.score_from) +
               " and samples from " + std::to_string(row.sample_from) +
               "; let the scored positions end before the sampled ones");
  check_tokens(sequence, row.next_tokens);
}

void lane_batch::check_start(const lane_sequence& sequence,
                             const row_request& row) const {
  const auto length = sequence.length();
  if (row.start > length)
    throw row_error{messages::ErrorCode::internal,
                    gap_text(sequence.key(), row.start, length)};
  const auto is_ours = [&](const batch_row& other) {
    return other.sequence == &sequence;
  };
  if (std::any_of(rows_.begin(), rows_.end(), is_ours))
    refuse(messages::ErrorCode::internal, sequence,
           "it has a second row in the plan; merge the rows");
  if (end_of(row) > limits_.context)
    refuse(messages::ErrorCode::prompt_too_long, sequence,
           "position " + std::to_string(end_of(row) - 1) +
               " is past the context of " + std::to_string(limits_.context) +
               " tokens; shorten the prompt or max_tokens");
}

void lane_batch::check_pages(const lane_sequence& sequence,
                             const row_request& row) const {
  if (end_of(row) > sequence.pages().capacity_tokens())
    refuse(messages::ErrorCode::internal, sequence,
           "its pages end at position " +
               std::to_string(sequence.pages().capacity_tokens()) +
               " but the row at " + std::to_string(end_of(row)) +
               "; grant pages before planning");
}

void lane_batch::claim_pages(const lane_sequence& sequence,
                             const row_request& row) {
  const auto pages = sequence.pages().pages();
  const auto page_tokens = sequence.pages().capacity_tokens() / pages.size();
  const auto last = (end_of(row) - 1) / page_tokens;
  for (std::uint64_t entry = row.start / page_tokens; entry <= last; ++entry) {
    auto& writer = writers_[pages[entry]];
    const page_writer us{step_, sequence.key(), entry};
    if (writer.step == step_ && writer != us)
      refuse(messages::ErrorCode::ledger_discrepancy, sequence,
             "page " + std::to_string(pages[entry]) +
                 " is also written by sequence " +
                 std::to_string(writer.sequence) +
                 "; the request must be run again");
    writer = us;
  }
}

} // namespace sluice

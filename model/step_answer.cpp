// SPDX-License-Identifier: Apache-2.0
#include "model/step_answer.hpp"

#include <utility>

namespace sluice {

using messages::ErrorCode;

namespace {

/// Offset 0 leaves a field out, as FlatBuffers' object form does if empty.
flatbuffers::Offset<flatbuffers::String>
pack_text(flatbuffers::FlatBufferBuilder& to, const std::string& text) {
  return text.empty() ? 0 : to.CreateString(text);
}

template <class T>
flatbuffers::Offset<flatbuffers::Vector<T>>
pack_vector(flatbuffers::FlatBufferBuilder& to, const std::vector<T>& list) {
  return list.empty() ? 0 : to.CreateVector(list.data(), list.size());
}

flatbuffers::Offset<messages::TokenScores>
pack_scores(flatbuffers::FlatBufferBuilder& to, const given_odds& odds) {
  if (odds.tokens.empty())
    return 0;
  const auto tokens = pack_vector(to, odds.tokens);
  const auto logprobs = pack_vector(to, odds.logprobs);
  const auto ranks = pack_vector(to, odds.ranks);
  const auto top_tokens = pack_vector(to, odds.top_tokens);
  const auto top_logprobs = pack_vector(to, odds.top_logprobs);
  return messages::CreateTokenScores(to, odds.first, tokens, logprobs, ranks,
                                     odds.top_count, top_tokens, top_logprobs);
}

std::uint64_t count_of(std::chrono::nanoseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

} // namespace

void given_odds::clear() {
  first = top_count = 0;
  tokens.clear();
  logprobs.clear();
  ranks.clear();
  top_tokens.clear();
  top_logprobs.clear();
}

void row_answer::fail(ErrorCode why, std::string because) {
  code = why;
  text = std::move(because);
  tokens.clear();
  odds.clear();
  top.clear();
  scores.clear();
}

void step_answer::begin(const messages::StepPlan& plan) {
  lane_ = plan.lane();
  number_ = plan.number();
  code_ = ErrorCode::none;
  text_.clear();
  times_ = {};
  count_ = 0;
}

row_answer& step_answer::add_row() {
  if (count_ == rows_.size())
    rows_.emplace_back();
  auto& row = rows_[count_++];
  row.fail(ErrorCode::none, {});
  return row;
}

void step_answer::fail(ErrorCode why, std::string because) {
  count_ = 0;
  code_ = why;
  text_ = std::move(because);
}

flatbuffers::Offset<messages::TokenLogprob>
step_answer::pack_odds(builder& to, const row_answer& row, std::size_t index) {
  const auto& odds = row.odds[index];
  top_offsets_.clear();
  for (std::uint32_t i = 0; i < odds.top_count; ++i) {
    const auto& [token, logprob] = row.top[odds.first_top + i];
    top_offsets_.push_back(messages::CreateTopLogprob(
        to, static_cast<std::uint32_t>(token), logprob));
  }
  const auto top = pack_vector(to, top_offsets_);
  return messages::CreateTokenLogprob(to, row.tokens[index], odds.logprob,
                                      odds.raw_logprob, top);
}

flatbuffers::Offset<messages::RowResult>
step_answer::pack_row(builder& to, const row_answer& row) {
  odds_offsets_.clear();
  for (std::size_t i = 0; i < row.odds.size(); ++i)
    odds_offsets_.push_back(pack_odds(to, row, i));
  const auto logprobs = pack_vector(to, odds_offsets_);
  const auto tokens = pack_vector(to, row.tokens);
  const auto text = pack_text(to, row.text);
  const auto scores = pack_scores(to, row.scores);
  return messages::CreateRowResult(to, tokens, logprobs, row.code, text,
                                   scores);
}

messages::frame<messages::StepResult>
step_answer::pack(messages::frame_pool<messages::StepResult>& pool) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  auto& to = pool.begin();
  row_offsets_.clear();
  for (const auto& row : rows())
    row_offsets_.push_back(pack_row(to, row));
  const auto rows = pack_vector(to, row_offsets_);
  const auto text = pack_text(to, text_);
  messages::StepResultBuilder result{to};
  result.add_lane(lane_);
  result.add_number(number_);
  result.add_rows(rows);
  result.add_compute_us(static_cast<std::uint64_t>(
      duration_cast<microseconds>(times_.compute).count()));
  result.add_code(code_);
  result.add_text(text);
  result.add_idle_ns(count_of(times_.idle));
  result.add_kernels_ns(count_of(times_.kernels));
  result.add_sampling_ns(count_of(times_.sampling));
  result.add_moves_ns(count_of(times_.moves));
  return pool.finish(result.Finish());
}

} // namespace sluice

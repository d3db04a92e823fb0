// SPDX-License-Identifier: Apache-2.0
// From results to tokens: what a step gave, and what failed with it.
#include "actors/batcher.hpp"

#include "messages/error_code.hpp"
#include "model/scored_delta.hpp"

namespace sluice::actors {

using messages::ErrorCode;
using messages::FinishReason;

void batcher_state::finished(frame<messages::StepResult> result) {
  stalled_ = false;
  oldest_since_ = now();
  learn_from(*result);
  measures_.finished(*result, now(), schedule_.plans_on_their_way() > 1);
  step_failed_ = result->code() != ErrorCode::none;
  take_rows(*result);
  end_moves(*result);
  step_failed_ = false;
  tell_scheduler();
  publish();
  plan_next();
}

void batcher_state::learn_from(const messages::StepResult& result) {
  if (result.code() != ErrorCode::none)
    return;
  const std::chrono::nanoseconds moving{result.moves_ns()};
  if (const auto found = moves_.find(result.number()); found != moves_.end())
    pressure_.moved(found->second.pages * config_.preemption.page_bytes,
                    moving);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::microseconds{result.compute_us()} - moving);
  if (const auto timing = schedule_.measured(result.number(), took))
    measures_.predicted(*timing, schedule_.costs().relative_error());
}

void batcher_state::take_rows(const messages::StepResult& result) {
  for (const auto& live : schedule_.result(result.number())) {
    const auto request = request_of(live.sequence);
    if (!requests_.contains(request))
      continue; // failed through an earlier row of this step
    concerned_ = request;
    const auto* row = result.rows() && live.row < result.rows()->size()
                          ? result.rows()->Get(live.row)
                          : nullptr;
    if (result.code() != ErrorCode::none)
      fail(request, result.code(),
           result.text() ? result.text()->str() : std::string{});
    else if (!row)
      fail(request, ErrorCode::executor_failed,
           "the executor's result lacks a row of its plan");
    else if (row->code() != ErrorCode::none)
      fail(request, row->code(), row->text() ? row->text()->str() : "");
    else
      take_row(live, *row);
  }
  concerned_.reset();
}

void batcher_state::take_row(const policy::live_row& live,
                             const messages::RowResult& row) {
  note_progress(live, row);
  if (live.scores > 0 && !take_scores(live, row))
    return;
  if (live.sampled && requests_.at(request_of(live.sequence))->beams())
    take_choices(live, row);
  else if (live.sampled)
    take_token(live.sequence, row);
  else if (live.completes)
    end_sequence(*requests_.at(request_of(live.sequence)),
                 index_of(live.sequence), FinishReason::scored, {});
}

void batcher_state::note_progress(const policy::live_row& live,
                                  const messages::RowResult& row) {
  // What a beam goes on with is told when it is known.
  const bool has_token = live.sampled && row.tokens() && row.tokens()->size() &&
                         !requests_.at(request_of(live.sequence))->beams();
  pages_.progress.emplace_back(
      live.sequence, live.end,
      has_token ? static_cast<std::int32_t>(row.tokens()->Get(0)) : -1);
}

/// If a step failed nobody knows whether it moved the pages that it should.
void batcher_state::end_moves(const messages::StepResult& result) {
  const auto end = moves_.upper_bound(result.number());
  std::vector<std::uint64_t> doubtful;
  if (step_failed_)
    for (auto at = moves_.begin(); at != end; ++at)
      doubtful.insert(doubtful.end(), at->second.sequences.begin(),
                      at->second.sequences.end());
  moves_.erase(moves_.begin(), end);
  for (const auto sequence : doubtful)
    if (is_alive(sequence))
      fail(request_of(sequence), result.code(),
           "the step that moved its pages failed");
}

bool batcher_state::take_scores(const policy::live_row& live,
                                const messages::RowResult& row) {
  auto& request = *requests_.at(request_of(live.sequence));
  const auto* scores = row.scores();
  if (!scores || !scores->tokens() || scores->tokens()->size() != live.scores) {
    fail(request.number(), ErrorCode::executor_failed,
         "the executor scored fewer positions than the plan asked for");
    return false;
  }
  request.count_scores(*scores);
  if (request.work().publish_scores())
    send_delta(request.number(), scored_delta(*scores, *config_.text));
  return true;
}

void batcher_state::send_delta(std::uint64_t request,
                               std::unique_ptr<messages::DeltaT> delta) {
  if (!delta)
    return;
  outgoing_.deltas.push_back(std::make_unique<messages::TokensOfT>());
  outgoing_.deltas.back()->request = request;
  outgoing_.deltas.back()->delta = std::move(delta);
}

/// A part of an answer: it leaves, or waits for the others.
void batcher_state::give(running_request& request, std::uint32_t index,
                         std::unique_ptr<messages::DeltaT> delta) {
  if (auto* held = request.held())
    held->add(index, std::move(delta));
  else
    send_delta(request.number(), std::move(delta));
}

void batcher_state::take_token(std::uint64_t sequence,
                               const messages::RowResult& row) {
  auto& request = *requests_.at(request_of(sequence));
  const auto index = index_of(sequence);
  if (!row.tokens() || row.tokens()->size() == 0)
    return fail(request.number(), ErrorCode::executor_failed,
                "the executor sampled no token where the plan asked for one");
  std::unique_ptr<messages::TokenLogprobT> logprob;
  const bool known = row.logprobs() && row.logprobs()->size() > 0;
  if (known && request.publishes_logprobs()) {
    logprob = std::make_unique<messages::TokenLogprobT>();
    row.logprobs()->Get(0)->UnPackTo(logprob.get());
  }
  if (auto* held = request.held(); held && known)
    held->count(index, row.logprobs()->Get(0)->raw_logprob());
  const auto token = row.tokens()->Get(0);
  const bool full = schedule_.append(sequence, token);
  count_tokens(request, 1);
  auto step = request.sequence(index).output->push(token, std::move(logprob));
  give(request, index, std::move(step.delta));
  if (step.end)
    end_sequence(request, index, *step.end, std::move(step.stop));
  else if (full)
    end_sequence(request, index, FinishReason::length, {});
}

// A request's rows lie side by side more often than not.
void batcher_state::count_tokens(running_request& request,
                                 std::uint32_t tokens) {
  request.count_tokens(tokens, now());
  auto& generated = news_.generated;
  if (generated.empty() || generated.back().request != request.number())
    generated.push_back({request.number(), 0});
  generated.back().tokens += tokens;
}

void batcher_state::tell_scheduler() {
  news_.lane = config_.lane;
  news_.outside = schedule_.outside();
  self_->send(to_.scheduler, news_);
  news_.generated.clear();
}

} // namespace sluice::actors

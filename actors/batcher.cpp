// SPDX-License-Identifier: Apache-2.0
#include "actors/batcher.hpp"

#include <algorithm>

#include "actors/guard.hpp"
#include "messages/error_code.hpp"
#include "model/scored_delta.hpp"

namespace sluice::actors {

using messages::ErrorCode;
using messages::FinishReason;

batcher_state::batcher_state(batcher_actor::pointer self)
    : self_{self}, schedule_{policy::lane_limits{}} {}

void batcher_state::configure(batcher_config config,
                              batcher_neighbours neighbours) {
  config_ = std::move(config);
  to_ = std::move(neighbours);
  schedule_ = policy::lane_schedule{config_.limits};
  frames_ = lane_frames{config_.lane};
}

// -- orders of the scheduler
// ----------------------------------------------------

void batcher_state::admit(frame<messages::Admit> order) {
  const auto number = order->work()->request();
  concerned_ = number;
  auto request = std::make_unique<running_request>(
      std::move(order), *config_.text, config_.model, now());
  const auto& work = request->work();
  for (std::uint32_t i = 0; i < request->size(); ++i)
    schedule_.join(sequence_key(number, i),
                   {work.prompt()->begin(), work.prompt()->end()},
                   work.stopping()->max_tokens(), request->scoring_of(i));
  for (std::uint32_t i = 0; i < request->size(); ++i)
    send_delta(number, request->echo_of(i));
  requests_[number] = std::move(request);
  concerned_.reset();
  publish();
  plan_next();
}

void batcher_state::stop(frame<messages::Stop> order) {
  const auto found = requests_.find(order->request());
  if (found == requests_.end())
    return;
  concerned_ = order->request();
  if (order->code() != ErrorCode::none) {
    fail(order->request(), order->code(),
         std::string{messages::describe(order->code()).remedy});
  } else {
    // The last of them takes the request with it.
    for (const auto index : found->second->living())
      end_sequence(*found->second, index, order->reason(), {});
  }
  concerned_.reset();
  publish();
  plan_next();
}

// -- planning
// -------------------------------------------------------------------

bool batcher_state::is_alive(std::uint64_t sequence) const {
  const auto found = requests_.find(request_of(sequence));
  return found != requests_.end() &&
         found->second->sequence(index_of(sequence)).output.has_value();
}

bool batcher_state::settlement_due() const {
  return !released_.empty() || (told_finished_ < release_barrier_ &&
                                schedule_.finished_plan() >= release_barrier_);
}

void batcher_state::plan_next() {
  if (awaiting_grant_)
    return;
  auto draft = schedule_.draft();
  if (draft || settlement_due())
    ask_for_pages(std::move(draft));
}

void batcher_state::ask_for_pages(std::optional<policy::step_draft> draft) {
  told_finished_ = schedule_.finished_plan();
  auto request =
      frames_.page_request(draft ? &*draft : nullptr, schedule_.next_plan(),
                           {released_, told_finished_});
  released_.clear();
  draft_ = std::move(draft);
  awaiting_grant_ = true;
  self_->send(to_.pages, std::move(request));
}

void batcher_state::granted(frame<messages::PageGrant> grant) {
  awaiting_grant_ = false;
  measures_.granted(*grant);
  news_.free_pages = grant->free_pages();
  if (grant->lost())
    for (const auto sequence : *grant->lost())
      fail(request_of(sequence), ErrorCode::ledger_discrepancy,
           "the ledger disagrees about this request's pages");
  if (draft_)
    send_plan(*grant);
  draft_.reset();
  publish();
  plan_next();
}

void batcher_state::send_plan(const messages::PageGrant& grant) {
  const std::vector<std::uint64_t> waiting =
      grant.waiting() ? std::vector<std::uint64_t>{grant.waiting()->begin(),
                                                   grant.waiting()->end()}
                      : std::vector<std::uint64_t>{};
  if (!schedule_.confirm(*draft_, waiting))
    return;
  std::vector<std::unique_ptr<messages::SequenceStateT>> joined;
  for (const auto& row : draft_->rows) {
    auto& request = *requests_.at(request_of(row.sequence));
    auto& sequence = request.sequence(index_of(row.sequence));
    if (!sequence.joined)
      joined.push_back(request.state_of(index_of(row.sequence)));
    sequence.joined = true;
    request.count_step();
  }
  std::vector<const messages::PageDelta*> pages;
  if (grant.granted())
    for (const auto* delta : *grant.granted())
      if (is_alive(delta->sequence()))
        pages.push_back(delta);
  self_->send(to_.executor, frames_.step_plan(*draft_, {joined, pages, left_}));
  left_.clear();
}

// -- results
// --------------------------------------------------------------------

void batcher_state::finished(frame<messages::StepResult> result) {
  learn_from(*result);
  measures_.finished(*result, now(), schedule_.plans_on_their_way() > 1);
  take_rows(*result);
  tell_scheduler();
  publish();
  plan_next();
}

void batcher_state::learn_from(const messages::StepResult& result) {
  if (result.code() != ErrorCode::none)
    return;
  const auto took = std::chrono::microseconds{result.compute_us()};
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
  if (live.scores > 0 && !take_scores(live, row))
    return;
  if (live.sampled)
    take_token(live.sequence, row);
  else if (live.completes)
    end_sequence(*requests_.at(request_of(live.sequence)),
                 index_of(live.sequence), FinishReason::scored, {});
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

void batcher_state::take_token(std::uint64_t sequence,
                               const messages::RowResult& row) {
  auto& request = *requests_.at(request_of(sequence));
  const auto index = index_of(sequence);
  if (!row.tokens() || row.tokens()->size() == 0)
    return fail(request.number(), ErrorCode::executor_failed,
                "the executor sampled no token where the plan asked for one");
  std::unique_ptr<messages::TokenLogprobT> logprob;
  if (row.logprobs() && row.logprobs()->size() > 0) {
    logprob = std::make_unique<messages::TokenLogprobT>();
    row.logprobs()->Get(0)->UnPackTo(logprob.get());
  }
  const auto token = row.tokens()->Get(0);
  const bool full = schedule_.append(sequence, token);
  count_token(request);
  auto step = request.sequence(index).output->push(token, std::move(logprob));
  send_delta(request.number(), std::move(step.delta));
  if (step.end)
    end_sequence(request, index, *step.end, std::move(step.stop));
  else if (full)
    end_sequence(request, index, FinishReason::length, {});
}

// A request's rows lie side by side more often than not.
void batcher_state::count_token(running_request& request) {
  request.count_token(now());
  auto& generated = news_.generated;
  if (generated.empty() || generated.back().request != request.number())
    generated.push_back({request.number(), 0});
  ++generated.back().tokens;
}

void batcher_state::tell_scheduler() {
  news_.lane = config_.lane;
  self_->send(to_.scheduler, news_);
  news_.generated.clear();
}

// -- ends
// -----------------------------------------------------------------------

void batcher_state::retire(running_request& request, std::uint32_t index) {
  const auto key = sequence_key(request.number(), index);
  auto& sequence = request.sequence(index);
  schedule_.end(key);
  released_.push_back(key);
  // A draft whose pages are being asked for names the sequence too.
  release_barrier_ = schedule_.next_plan() - (draft_ ? 0 : 1);
  if (sequence.joined)
    left_.push_back(key);
  sequence.output.reset();
}

void batcher_state::end_sequence(running_request& request, std::uint32_t index,
                                 FinishReason reason, std::string stop) {
  auto& output = *request.sequence(index).output;
  send_delta(request.number(), output.flush());
  auto end = std::make_unique<messages::SequenceEndOfT>();
  end->request = request.number();
  end->end = std::make_unique<messages::SequenceEndT>();
  end->end->sequence = index;
  end->end->reason = reason;
  end->end->stop = std::move(stop);
  end->end->generated_tokens = output.generated_tokens();
  outgoing_.ends.push_back(std::move(end));
  retire(request, index);
  if (!request.alive())
    finish(request, reason);
}

void batcher_state::finish(running_request& request, FinishReason reason) {
  auto last = std::make_unique<messages::FinishedOfT>();
  last->request = request.number();
  last->reason = reason;
  last->receipt = request.receipt(now());
  outgoing_.finished.push_back(std::move(last));
  leave(request, ErrorCode::none);
}

void batcher_state::fail(std::uint64_t number, ErrorCode code,
                         const std::string& text) {
  const auto found = requests_.find(number);
  if (found == requests_.end())
    return;
  auto& request = *found->second;
  auto last = std::make_unique<messages::FailedOfT>();
  last->request = number;
  last->code = code;
  last->text = text;
  last->receipt = request.receipt(now());
  outgoing_.failed.push_back(std::move(last));
  for (std::uint32_t i = 0; i < request.size(); ++i)
    if (request.sequence(i).output)
      retire(request, i);
  leave(request, code);
}

void batcher_state::leave(running_request& request, ErrorCode code) {
  const auto used = request.receipt(now());
  measures_.left(code, *used);
  messages::OutcomeT outcome;
  outcome.request = request.number();
  outcome.code = code;
  outcome.generated_tokens = used->generated_tokens;
  self_->send(to_.scheduler, messages::pack<messages::Outcome>(outcome));
  requests_.erase(request.number());
}

void batcher_state::publish() {
  if (!outgoing_.deltas.empty() || !outgoing_.ends.empty() ||
      !outgoing_.finished.empty() || !outgoing_.failed.empty())
    self_->send(to_.publisher, tokens_.pack(std::exchange(outgoing_, {})));
  if (!measures_.empty())
    self_->send(to_.meter, measures_.take());
}

void batcher_state::broken(const char* text) {
  if (const auto request = std::exchange(concerned_, std::nullopt)) {
    fail(*request, ErrorCode::internal, text);
  } else {
    while (!requests_.empty())
      fail(requests_.begin()->first, ErrorCode::internal, text);
  }
  publish();
  plan_next();
}

batcher_report batcher_state::report() {
  using namespace std::chrono;
  const auto age =
      measures_.steps() == 0
          ? microseconds{0}
          : duration_cast<microseconds>(now() - measures_.last_result());
  return {.sequences = schedule_.sequences(),
          .steps = measures_.steps(),
          .last_step_age_us = static_cast<std::uint64_t>(age.count())};
}

batcher_actor::behavior_type
batcher(batcher_actor::stateful_pointer<batcher_state> self,
        batcher_config config, batcher_neighbours neighbours) {
  self->state.configure(std::move(config), std::move(neighbours));
  return {guarded(self, &batcher_state::admit),
          guarded(self, &batcher_state::stop),
          guarded(self, &batcher_state::granted),
          guarded(self, &batcher_state::finished),
          guarded_on<report_atom>(self, &batcher_state::report)};
}

} // namespace sluice::actors

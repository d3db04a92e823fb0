// SPDX-License-Identifier: Apache-2.0
#include "actors/batcher.hpp"

#include <algorithm>

#include "actors/guard.hpp"
#include "messages/error_code.hpp"

namespace sluice::actors {

using messages::ErrorCode;
using messages::FinishReason;

batcher_state::batcher_state(batcher_actor::pointer self)
    : self_{self}, schedule_{policy::lane_limits{}}, pressure_{{}} {}

void batcher_state::configure(batcher_config config,
                              batcher_neighbours neighbours) {
  config_ = std::move(config);
  to_ = std::move(neighbours);
  schedule_ = policy::lane_schedule{config_.limits};
  pressure_ = policy::page_pressure{config_.preemption};
  frames_ = lane_frames{config_.lane};
}

// -- orders of the scheduler
// ----------------------------------------------------

void batcher_state::admit(frame<messages::Admit> order) {
  const auto number = order->work()->request();
  concerned_ = number;
  auto request = std::make_unique<running_request>(
      std::move(order), *config_.text, config_.model,
      config_.limits.context_tokens, now());
  const auto& work = request->work();
  for (std::uint32_t i = 0; i < request->beginning(); ++i)
    schedule_.join({.key = sequence_key(number, i),
                    .prompt = {work.prompt()->begin(), work.prompt()->end()},
                    .max_tokens = work.stopping()->max_tokens(),
                    .scoring = request->scoring_of(i),
                    .priority = work.priority(),
                    .parent = i == 0 ? 0 : sequence_key(number, 0),
                    .group = request->beams() ? number : 0});
  for (std::uint32_t i = 0; i < request->size() && !request->beams(); ++i)
    give(*request, i, request->echo_of(i));
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
  } else if (found->second->answers_at_end()) {
    // Nothing to choose from, then: half of the candidates is no answer.
    for (const auto index : found->second->living())
      retire(*found->second, index);
    finish(*found->second, order->reason());
  } else {
    // The last of them takes the request with it.
    for (const auto index : found->second->living())
      end_sequence(*found->second, index, order->reason(), {});
    freeing_.push_back({now(), release_barrier_});
  }
  concerned_.reset();
  publish();
  plan_next();
}

// -- ends
// -----------------------------------------------------------------------

void batcher_state::retire(running_request& request, std::uint32_t index) {
  const auto key = sequence_key(request.number(), index);
  (step_failed_ ? pages_.spoiled : pages_.release).push_back(key);
  let_go(request, index);
}

/// What its pages hold is worth has been said.
void batcher_state::let_go(running_request& request, std::uint32_t index) {
  const auto key = sequence_key(request.number(), index);
  auto& sequence = request.sequence(index);
  schedule_.end(key);
  std::erase(pages_.swap_out, key);
  std::erase(pages_.swap_in, key);
  request.await_usage();
  stalled_ = false;
  // A draft whose pages are being asked for names the sequence too.
  release_barrier_ = schedule_.next_plan() - (draft_ ? 0 : 1);
  if (sequence.joined)
    left_.push_back(key);
  sequence.alive = false;
  sequence.output.reset();
}

void batcher_state::end_sequence(running_request& request, std::uint32_t index,
                                 FinishReason reason, std::string stop) {
  auto& output = *request.sequence(index).output;
  give(request, index, output.flush());
  auto end = std::make_unique<messages::SequenceEndOfT>();
  end->request = request.number();
  end->end = std::make_unique<messages::SequenceEndT>();
  end->end->sequence = index;
  end->end->reason = reason;
  end->end->stop = std::move(stop);
  end->end->generated_tokens = output.generated_tokens();
  if (auto* held = request.held())
    held->end(index, std::move(end->end));
  else
    outgoing_.ends.push_back(std::move(end));
  retire(request, index);
  if (request.alive())
    return;
  if (auto* held = request.held())
    publish_best(request, held->take_best(request.work().n()));
  else
    finish(request, reason);
}

void batcher_state::finish(running_request& request, FinishReason reason) {
  auto last = std::make_unique<messages::FinishedOfT>();
  last->request = request.number();
  last->reason = reason;
  last->receipt = request.receipt(now());
  depart(request, {.finished = std::move(last)});
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
  for (const auto index : request.living())
    retire(request, index);
  depart(request, {.failed = std::move(last)});
}

/// Its last chunk waits until the ledger has its pages.
void batcher_state::depart(running_request& request, departure gone) {
  const auto found = requests_.find(request.number());
  gone.request = std::move(found->second);
  requests_.erase(found);
  departures_.add(std::move(gone));
}

void batcher_state::close(std::vector<departure> settled) {
  for (auto& gone : settled) {
    measures_.left(gone.code(), gone.receipt());
    messages::OutcomeT outcome;
    outcome.request = gone.request->number();
    outcome.code = gone.code();
    outcome.generated_tokens = gone.receipt().generated_tokens;
    self_->send(to_.scheduler, messages::pack<messages::Outcome>(outcome));
    if (gone.finished)
      outgoing_.finished.push_back(std::move(gone.finished));
    else
      outgoing_.failed.push_back(std::move(gone.failed));
  }
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
  const auto age_us = [this](clock_point since) {
    using std::chrono::microseconds;
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<microseconds>(now() - since).count());
  };
  const auto plans = schedule_.plans_on_their_way();
  return {.sequences = schedule_.sequences(),
          .steps = measures_.steps(),
          .last_step_age_us =
              measures_.steps() == 0 ? 0 : age_us(measures_.last_result()),
          .plans = plans,
          .oldest_plan = plans == 0 ? 0 : schedule_.finished_plan() + 1,
          .plan_age_us = plans == 0 ? 0 : age_us(oldest_since_),
          .awaits_pages = awaiting_grant_,
          .pages_age_us = awaiting_grant_ ? age_us(asked_at_) : 0};
}

batcher_actor::behavior_type
batcher(batcher_actor::stateful_pointer<batcher_state> self,
        batcher_config config, batcher_neighbours neighbours) {
  self->state.configure(std::move(config), std::move(neighbours));
  return {guarded(self, &batcher_state::admit),
          guarded(self, &batcher_state::stop),
          guarded(self, &batcher_state::granted),
          guarded(self, &batcher_state::finished),
          guarded_on<renew_atom>(self, &batcher_state::renewed),
          guarded_on<report_atom>(self, &batcher_state::report)};
}

} // namespace sluice::actors

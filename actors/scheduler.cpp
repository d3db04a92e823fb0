// SPDX-License-Identifier: Apache-2.0
#include "actors/scheduler.hpp"

#include <algorithm>

#include "actors/guard.hpp"
#include "actors/metric_names.hpp"
#include "messages/error_code.hpp"

namespace sluice::actors {

using messages::ErrorCode;
using messages::FinishReason;
using policy::request_place;

namespace {

constexpr std::size_t most_early_cancels = 4096;

/// Entries that a client sees of its prompt: each scored token and its
/// alternatives.
std::uint64_t scores_of(const messages::Work& work) {
  if (!work.publish_scores() || work.score_from() == 0)
    return 0;
  const auto scored = work.prompt()->size() -
                      std::min(work.score_from(), work.prompt()->size());
  return scored * (1 + std::uint64_t{work.prompt_top_logprobs()});
}

/// Sequences that run, and answers that are kept until all are there: of a beam
/// search, as many complete ones as beams.
std::pair<std::uint32_t, std::uint32_t> sequences_of(const messages::Work& w) {
  if (w.beam())
    return {w.beam()->width(), 2 * w.beam()->width()};
  if (w.best_of() > w.n())
    return {w.best_of(), w.best_of()};
  return {w.n(), 0};
}

policy::demand demand_of(const messages::Work& work, policy::instant now) {
  const auto after = [now](std::uint32_t ms) -> std::optional<policy::instant> {
    if (ms == 0)
      return std::nullopt;
    return now + std::chrono::milliseconds{ms};
  };
  const auto& sampling = *work.sampling();
  const bool logprobs = sampling.want_logprobs() || sampling.logprobs() > 0;
  const auto [sequences, kept] = sequences_of(work);
  return {.request = work.request(),
          .tenant = work.tenant() ? work.tenant()->str() : std::string{},
          // The last token of a text that is only scored needs no KV.
          .prompt_tokens = work.prompt()->size() - (work.score_only() ? 1 : 0),
          .max_tokens = work.score_only() ? 1 : work.stopping()->max_tokens(),
          .sequences = sequences,
          .kept = kept,
          .logprobs = logprobs ? 1 + sampling.logprobs() : 0,
          .scores = scores_of(work),
          .priority = work.priority(),
          .deadline = after(work.deadline_ms()),
          .queue_deadline = after(work.queue_timeout_ms())};
}

} // namespace

scheduler_state::scheduler_state(scheduler_actor::pointer self) : self_{self} {}

void scheduler_state::configure(policy::lane_capacity capacity,
                                scheduler_neighbours neighbours) {
  admission_ = policy::admission{capacity};
  to_ = std::move(neighbours);
  last_decision_ = now();
}

policy::instant scheduler_state::now() const {
  return self_->clock().now().time_since_epoch();
}

void scheduler_state::meet_gateway(gateway_actor gateway) {
  gateway_ = std::move(gateway);
}

void scheduler_state::bind(std::uint32_t, batcher_actor batcher) {
  batcher_ = std::move(batcher);
}

// -- arrivals
// -------------------------------------------------------------------

void scheduler_state::prepared(frame<messages::Prepared> request) {
  concerned_ = request->work()->request();
  take(request);
  concerned_.reset();
  start_ready();
  decided();
}

void scheduler_state::take(const frame<messages::Prepared>& request) {
  const auto number = request->work()->request();
  if (request->code() != ErrorCode::none)
    return refuse(number, request->code(),
                  request->text() ? request->text()->str() : "");
  if (draining_)
    return refuse(number, ErrorCode::draining,
                  "the daemon is shutting down; submit to another one or "
                  "after the restart");
  if (auto refused =
          admission_.offer(demand_of(*request->work(), now()), now()))
    return refuse(number, refused->code, refused->text,
                  refused->retry_after_ms);
  works_[number] = request;
  self_->send(gateway_, accept_atom::value, number);
  if (cancelled_early(number))
    return;
  arm_timer();
}

bool scheduler_state::cancelled_early(request_number request) {
  const auto found =
      std::find_if(early_.begin(), early_.end(), [request](const auto& early) {
        return early.first == request;
      });
  if (found == early_.end())
    return false;
  const auto reason = found->second;
  early_.erase(found);
  cancel(request, reason);
  return true;
}

void scheduler_state::refuse(request_number request, ErrorCode code,
                             const std::string& text,
                             std::uint32_t retry_after_ms) {
  metric_batch count;
  count.samples.push_back(
      {metric::rejected, metric_kind::counter, 1,
       "reason=\"" + std::string{messages::to_string(code)} + "\""});
  self_->send(to_.meter, std::move(count));
  self_->send(gateway_, reject_atom::value, request, code, text,
              retry_after_ms);
}

// -- starts and ends
// ------------------------------------------------------------

void scheduler_state::start_ready() {
  // Waiting times are asked for before the requests count as running.
  const auto at = now();
  for (const auto number : admission_.admit()) {
    messages::AdmitT order;
    order.work = std::make_unique<messages::WorkT>();
    works_.at(number)->work()->UnPackTo(order.work.get());
    order.queue_us = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(
            admission_.waited(number, at))
            .count());
    self_->send(batcher_, messages::pack<messages::Admit>(order));
  }
}

void scheduler_state::cancel(request_number request, FinishReason reason) {
  switch (admission_.place(request)) {
  case request_place::waiting:
    forget(request);
    self_->send(to_.publisher, cancel_atom::value, request, reason);
    start_ready();
    break;
  case request_place::running:
    stop_running(request, reason, ErrorCode::none);
    break;
  case request_place::unknown:
    if (early_.size() == most_early_cancels)
      early_.pop_front();
    early_.emplace_back(request, reason);
    return;
  }
  decided();
}

void scheduler_state::stop_running(request_number request, FinishReason reason,
                                   ErrorCode code) {
  if (!stopping_.insert(request).second)
    return;
  messages::StopT order;
  order.request = request;
  order.reason = reason;
  order.code = code;
  self_->send(batcher_, messages::pack<messages::Stop>(order));
}

void scheduler_state::forget(request_number request) {
  admission_.remove(request);
  works_.erase(request);
  stopping_.erase(request);
  if (draining_ && works_.empty())
    for (auto& promise : std::exchange(drained_, {}))
      promise.deliver(true);
}

void scheduler_state::outcome(frame<messages::Outcome> outcome) {
  admission_.served(outcome->request(), outcome->generated_tokens(), now());
  forget(outcome->request());
  start_ready();
  decided();
}

// Comes with every step: decides only where pages decide who may start.
void scheduler_state::news(const lane_news& news) {
  for (const auto& [request, tokens] : news.generated)
    admission_.generated(request, tokens);
  admission_.pool_has(news.free_pages, news.evictable_pages, news.outside);
  if (!admission_.follows_pool())
    return;
  start_ready();
  decided();
}

caf::typed_response_promise<bool> scheduler_state::drain() {
  auto promise = self_->make_response_promise<bool>();
  draining_ = true;
  if (works_.empty())
    promise.deliver(true);
  else
    drained_.push_back(promise);
  return promise;
}

void scheduler_state::fail_all(ErrorCode code, std::string text) {
  std::vector<request_number> all;
  for (const auto& [number, work] : works_)
    all.push_back(number);
  for (const auto number : all) {
    if (admission_.place(number) == request_place::running) {
      stop_running(number, FinishReason::none, code);
    } else {
      forget(number);
      self_->send(to_.publisher, failed_atom::value, number, code, text);
    }
  }
}

// -- deadlines
// ------------------------------------------------------------------

void scheduler_state::tick() {
  timer_.reset();
  for (const auto& due : admission_.expired(now()))
    expire(due);
  start_ready();
  arm_timer();
  decided();
}

void scheduler_state::expire(const policy::expiry& due) {
  if (due.running)
    return stop_running(due.request, FinishReason::none, due.code);
  forget(due.request);
  const auto& entry = messages::describe(due.code);
  self_->send(to_.publisher, failed_atom::value, due.request, due.code,
              std::string{entry.meaning} + " " + std::string{entry.remedy});
}

void scheduler_state::arm_timer() {
  auto next = admission_.next_deadline();
  if (!next)
    return;
  // What already runs out is being stopped; look again a little later.
  next = std::max(*next, now() + std::chrono::milliseconds{10});
  if (timer_ && *timer_ <= *next)
    return;
  timer_ = next;
  self_->delayed_send(self_, *next - now(), tick_atom::value);
}

// -- reports
// --------------------------------------------------------------------

void scheduler_state::decided() {
  last_decision_ = now();
  metric_batch gauges;
  gauges.samples.push_back({metric::waiting,
                            metric_kind::gauge,
                            static_cast<double>(admission_.waiting()),
                            {}});
  gauges.samples.push_back({metric::running,
                            metric_kind::gauge,
                            static_cast<double>(admission_.running()),
                            {}});
  self_->send(to_.meter, std::move(gauges));
}

scheduler_report scheduler_state::report() {
  using std::chrono::microseconds;
  const auto age =
      std::chrono::duration_cast<microseconds>(now() - last_decision_);
  return {.waiting = admission_.waiting(),
          .running = admission_.running(),
          .last_decision_age_us = static_cast<std::uint64_t>(age.count())};
}

void scheduler_state::broken(const char* text) {
  const auto request = std::exchange(concerned_, std::nullopt);
  if (!request)
    return;
  if (works_.contains(*request)) {
    forget(*request);
    self_->send(to_.publisher, failed_atom::value, *request,
                ErrorCode::internal, std::string{text});
  } else {
    refuse(*request, ErrorCode::internal, text);
  }
}

scheduler_actor::behavior_type
scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
          policy::lane_capacity capacity, scheduler_neighbours neighbours) {
  self->state.configure(capacity, std::move(neighbours));
  return {guarded_on<open_atom>(self, &scheduler_state::meet_gateway),
          guarded_on<open_atom>(self, &scheduler_state::bind),
          guarded(self, &scheduler_state::prepared),
          guarded_on<cancel_atom>(self, &scheduler_state::cancel),
          guarded(self, &scheduler_state::outcome),
          guarded(self, &scheduler_state::news),
          guarded_on<drain_atom>(self, &scheduler_state::drain),
          guarded_on<failed_atom>(self, &scheduler_state::fail_all),
          guarded_on<tick_atom>(self, &scheduler_state::tick),
          guarded_on<report_atom>(self, &scheduler_state::report)};
}

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#include "actors/gateway.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "actors/guard.hpp"
#include "actors/metric_names.hpp"
#include "actors/replies.hpp"

namespace sluice::actors {
namespace {

using namespace messages;
using policy::request_phase;

policy::session_limits limits_of(const gateway_config& config) {
  return {.sessions = config.sessions,
          .requests = config.requests_per_client,
          .probe_interval = config.probe_interval,
          .idle_probe_interval = config.idle_probe_interval,
          .lease_max = config.lease_max};
}

template <class T>
auto from_client(gateway_actor::stateful_pointer<gateway_state> self,
                 void (gateway_state::*handler)(const session_id&,
                                                const frame<T>&)) {
  return [self, handler](const session_id& from, const frame<T>& message) {
    self->state.serve(from, message, handler);
  };
}

} // namespace

gateway_state::gateway_state(gateway_actor::pointer self) : self_{self} {}

void gateway_state::start(gateway_config config, gateway_links links) {
  config_ = std::move(config);
  links_ = std::move(links);
  sessions_ = policy::session_table{limits_of(config_)};
  self_->send(links_.publisher, open_atom::value, gateway_actor{self_});
  self_->delayed_send(self_, config_.probe_interval, tick_atom::value);
}

policy::instant gateway_state::now() const {
  return self_->clock().now().time_since_epoch();
}

void gateway_state::send(const session_id& to, outgoing bytes) {
  links_.out->send_control(to, std::move(bytes)); // drops are counted there
}

template <class T>
void gateway_state::serve(const session_id& from, const frame<T>& message,
                          void (gateway_state::*handler)(const session_id&,
                                                         const frame<T>&)) {
  const credit_return done{*links_.credit};
  try {
    if (sessions_.touch(from, now()))
      (this->*handler)(from, message);
    else
      send(from, refused_reply(ErrorCode::too_many_requests,
                               "Too many clients are busy. Try again later, "
                               "or raise limits.sessions."));
  } catch (const std::exception& error) {
    report_broken_handler(*this, error.what());
    tell_broken(from, *message, explain(ErrorCode::internal, error.what()));
  }
}

template <class T>
void gateway_state::tell_broken(const session_id& to, const T& message,
                                std::string text) {
  if constexpr (std::is_same_v<T, Submit>) {
    const auto* record = requests_.find(policy::key_of(message));
    if (record && record->phase == request_phase::preparing)
      return reject(record->number, ErrorCode::internal, std::move(text), 0);
    send(to, rejected_reply(*message.id(), ErrorCode::internal, text));
  } else {
    send(to, refused_reply(ErrorCode::internal, std::move(text)));
  }
}

// -- versions and leases ------------------------------------------------------

void gateway_state::hello(const session_id& from, const frame<Hello>& words) {
  if (words->protocol() < oldest_protocol ||
      words->oldest_protocol() > newest_protocol)
    return send(from, refused_reply(ErrorCode::unsupported_protocol,
                                    explain(ErrorCode::unsupported_protocol)));
  const auto lease =
      sessions_.grant_lease(from, std::chrono::milliseconds{words->lease_ms()});
  HelloT answer;
  answer.protocol = std::min(words->protocol(), newest_protocol);
  answer.oldest_protocol = oldest_protocol;
  answer.name = config_.name;
  answer.version = config_.version;
  answer.epoch = config_.epoch;
  answer.stream_endpoint = config_.stream_endpoint;
  answer.lease_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(lease).count());
  for (const auto& model : config_.models)
    answer.models.push_back(model.name);
  send(from, pack_reply<Hello>(answer));
}

void gateway_state::lease(const session_id& from, const frame<Lease>& renewal) {
  if (renewal->lease_ms() > 0)
    sessions_.grant_lease(from, std::chrono::milliseconds{renewal->lease_ms()});
}

void gateway_state::credit(const session_id&, const frame<Credit>&) {
  // Reserved for flow control; like any frame it has renewed the lease.
}

// -- the ends of requests -----------------------------------------------------

void gateway_state::cancel(const session_id& from, const frame<Cancel>& what) {
  auto* record = requests_.find(policy::key_of(*what));
  CancelledT answer;
  answer.id = std::make_unique<RequestId>(*what->id());
  answer.found = record && record->phase != request_phase::ended;
  if (answer.found)
    end(*record, FinishReason::cancelled);
  send(from, pack_reply<Cancelled>(answer));
}

// The scheduler knows a request only from accept() on.
void gateway_state::end(policy::request_record& record, FinishReason reason) {
  if (record.phase == request_phase::open)
    self_->send(links_.scheduler, cancel_atom::value, record.number, reason);
  else if (record.end_on_accept == FinishReason::none)
    record.end_on_accept = reason;
}

void gateway_state::vanish(session_id session) {
  if (!sessions_.knows(session))
    return;
  count(metric::vanished, metric_kind::counter, 1);
  for (const auto request : sessions_.remove(session)) {
    auto* record = requests_.find(request);
    if (!record)
      continue;
    record->owner.clear();
    if (record->on_disconnect == OnDisconnect::cancel)
      end(*record, FinishReason::disconnected);
  }
}

void gateway_state::ended(request_number request) {
  auto* record = requests_.find(request);
  if (!record)
    return;
  requests_.advance(*record, request_phase::ended);
  sessions_.closed(record->owner, request);
}

void gateway_state::expired(request_number request) {
  forget(request);
}

void gateway_state::forget(request_number request) {
  if (const auto* record = requests_.find(request))
    sessions_.closed(record->owner, request);
  requests_.erase(request);
}

void gateway_state::drain() {
  draining_ = true;
}

// -- replay -------------------------------------------------------------------

void gateway_state::replay(const session_id& from, const frame<Replay>& what) {
  if (const auto* record = requests_.find(policy::key_of(*what)))
    self_->send(links_.publisher, from, record->number, what);
  else
    send(from, gap_reply(*what->id(), what->from_seq(), 0));
}

// -- time ---------------------------------------------------------------------

void gateway_state::tick() {
  self_->delayed_send(self_, config_.probe_interval, tick_atom::value);
  const auto moment = now();
  for (const auto& session : sessions_.expired_leases(moment))
    vanish(session);
  // Whoever is gone makes the socket fail, and vanish() follows.
  const auto probe = pack_reply<Lease>({});
  for (const auto& session : sessions_.due_probes(moment))
    send(session, probe);
  count(metric::sessions, metric_kind::gauge,
        static_cast<double>(sessions_.size()));
}

void gateway_state::count(const char* metric, metric_kind kind, double value,
                          std::string labels) {
  metric_batch batch;
  batch.samples.push_back({metric, kind, value, std::move(labels)});
  self_->send(links_.meter, std::move(batch));
}

gateway_actor::behavior_type
gateway(gateway_actor::stateful_pointer<gateway_state> self,
        gateway_config config, gateway_links links) {
  self->state.start(std::move(config), std::move(links));
  return {from_client(self, &gateway_state::hello),
          from_client(self, &gateway_state::submit),
          from_client(self, &gateway_state::cancel),
          from_client(self, &gateway_state::replay),
          from_client(self, &gateway_state::query),
          from_client(self, &gateway_state::lease),
          from_client(self, &gateway_state::credit),
          guarded_on<vanish_atom>(self, &gateway_state::vanish),
          guarded_on<accept_atom>(self, &gateway_state::accept),
          guarded_on<reject_atom>(self, &gateway_state::reject),
          guarded_on<ended_atom>(self, &gateway_state::ended),
          guarded_on<expired_atom>(self, &gateway_state::expired),
          guarded_on<drain_atom>(self, &gateway_state::drain),
          guarded_on<tick_atom>(self, &gateway_state::tick)};
}

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
// How requests come in: new ones, those sent again, and what the daemon says.
#include "actors/gateway.hpp"

#include <utility>

#include "actors/metric_names.hpp"
#include "actors/replies.hpp"

namespace sluice::actors {

using namespace messages;
using policy::request_phase;

namespace {

bool answers_at_end(const Submit& request) {
  return request.best_of() > request.n() ||
         (request.beam() && request.beam()->width() > 0);
}

} // namespace

void gateway_state::submit(const session_id& from,
                           const frame<Submit>& request) {
  auto key = policy::key_of(*request);
  const auto body = policy::hash_body(*request);
  switch (requests_.compare(key, body)) {
  case policy::familiarity::conflict:
    return turn_away(from, *request->id(), ErrorCode::id_conflict);
  case policy::familiarity::same:
    return attach(from, *requests_.find(key));
  case policy::familiarity::fresh:
    break;
  }
  const auto problem = obstacle(from);
  if (problem != ErrorCode::none)
    return turn_away(from, *request->id(), problem);
  take_in(from, std::move(key), body, request);
}

ErrorCode gateway_state::obstacle(const session_id& from) const {
  if (draining_)
    return ErrorCode::draining;
  if (!sessions_.may_open(from))
    return ErrorCode::too_many_requests;
  if (requests_.preparing() >= config_.preparing)
    return ErrorCode::queue_full;
  return ErrorCode::none;
}

// The answer comes with accept() or reject().
void gateway_state::take_in(const session_id& from, policy::request_key key,
                            policy::body_hash body,
                            const frame<Submit>& request) {
  auto& record = requests_.add(std::move(key), body);
  record.owner = from;
  record.on_disconnect = request->on_disconnect();
  record.at_end = answers_at_end(*request);
  sessions_.opened(from, record.number);
  self_->send(links_.publisher, open_atom::value, record.number, request);
  const auto turn = next_preparer_++ % links_.preparers.size();
  self_->send(links_.preparers[turn], record.number, request);
}

void gateway_state::attach(const session_id& from,
                           policy::request_record& known) {
  if (known.phase != request_phase::ended && !change_owner(known, from))
    return turn_away(from, known.key.id.to_wire(),
                     ErrorCode::too_many_requests);
  known.attached = true;
  if (known.phase != request_phase::preparing)
    answer_attached(from, known);
}

bool gateway_state::change_owner(policy::request_record& record,
                                 const session_id& to) {
  if (record.owner == to)
    return true;
  if (!sessions_.may_open(to))
    return false;
  sessions_.closed(record.owner, record.number);
  sessions_.opened(to, record.number);
  record.owner = to;
  return true;
}

// Only the publisher knows how far the stream has come.
void gateway_state::answer_attached(const session_id& to,
                                    const policy::request_record& record) {
  self_
      ->request(links_.publisher, caf::infinite, open_atom::value,
                record.number)
      .then([this, to, id = record.key.id.to_wire(),
             at_end = record.at_end](std::uint32_t next_seq) {
        send(to, accepted_reply(id, {config_.epoch, true, next_seq, at_end}));
      });
}

void gateway_state::turn_away(const session_id& to, const RequestId& id,
                              ErrorCode code, std::string_view detail) {
  count(metric::rejected, metric_kind::counter, 1,
        "reason=\"" + std::string{to_string(code)} + "\"");
  const bool worth_a_retry =
      code == ErrorCode::queue_full || code == ErrorCode::too_many_requests;
  send(to, rejected_reply(id, code, explain(code, detail),
                          worth_a_retry ? config_.retry_after_ms : 0));
}

void gateway_state::accept(request_number request) {
  auto* record = requests_.find(request);
  if (!record)
    return;
  if (record->phase == request_phase::preparing)
    requests_.advance(*record, request_phase::open);
  if (!record->owner.empty())
    send(record->owner,
         accepted_reply(record->key.id.to_wire(),
                        {config_.epoch, record->attached, 0, record->at_end}));
  if (record->end_on_accept != FinishReason::none)
    self_->send(links_.scheduler, cancel_atom::value, request,
                record->end_on_accept);
}

void gateway_state::reject(request_number request, ErrorCode code,
                           std::string text, std::uint32_t retry_after_ms) {
  const auto* record = requests_.find(request);
  if (!record)
    return;
  if (!record->owner.empty())
    send(record->owner,
         rejected_reply(record->key.id.to_wire(), code,
                        text.empty() ? explain(code) : std::move(text),
                        retry_after_ms));
  self_->send(links_.publisher, reject_atom::value, request);
  forget(request);
}

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#include "tools/client/client.hpp"

#include <algorithm>
#include <utility>

namespace sluice::client {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr std::uint32_t protocol_version = 1;
constexpr milliseconds sweep_interval{50};
constexpr unsigned most_submissions = 3; // before a refusal is taken as ours

} // namespace

client::client(client_options options)
    : options_{std::move(options)}, transport_{options_.endpoint,
                                               options_.context} {
  greet();
}

client::~client() = default;

messages::request_id client::submit(messages::SubmitT submission) {
  using messages::request_id;
  if (!submission.id)
    submission.id =
        std::make_unique<messages::RequestId>(request_id::random().to_wire());
  submission.tenant = options_.tenant;
  auto frame = messages::pack<messages::Submit>(submission);
  const auto checked = messages::parse_frame<messages::Submit>(
      frame.bytes(), messages::frame_limits{});
  if (const auto* refusal = std::get_if<messages::refusal>(&checked))
    throw bad_request{refusal->text};
  const auto id = request_id::from(*submission.id);
  transport_.subscribe(id.hex());
  sent_ = clock::now();
  transport_.send(frame.bytes());
  requests_.insert_or_assign(
      id, request{std::move(frame), {options_.patience, sent_}, {}});
  return id;
}

void client::cancel(const messages::request_id& id) {
  messages::CancelT message;
  message.id = std::make_unique<messages::RequestId>(id.to_wire());
  message.tenant = options_.tenant;
  send<messages::Cancel>(message);
}

std::vector<event> client::poll(milliseconds timeout) {
  const auto until = clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - clock::now());
    const auto wait = events_.empty() ? left : milliseconds{0};
    receive(std::clamp(wait, milliseconds{0}, sweep_interval));
    sweep();
    if (!events_.empty() || left <= milliseconds{0})
      return std::exchange(events_, {});
  }
}

messages::HealthT client::health() {
  return ask<messages::HealthT>(messages::QueryKind::health);
}

messages::StatsT client::stats() {
  return ask<messages::StatsT>(messages::QueryKind::stats);
}

messages::ModelsT client::models() {
  return ask<messages::ModelsT>(messages::QueryKind::models);
}

bool client::cancel_and_wait(const messages::request_id& id) {
  cancel(id);
  return wait_for_answer<messages::CancelledT>().found;
}

template <class T>
void client::send(const typename T::NativeTableType& message) {
  sent_ = clock::now();
  transport_.send(messages::pack<T>(message).bytes());
}

template <class Answer>
Answer client::wait_for_answer() {
  answer_ = std::monostate{};
  const auto until = clock::now() + options_.answer_timeout;
  while (clock::now() < until) {
    receive(sweep_interval);
    if (auto* found = std::get_if<Answer>(&answer_))
      return std::move(*found);
    if (const auto* refused = std::get_if<messages::RefusedT>(&answer_))
      throw protocol_error{"the daemon refused: " + refused->text};
  }
  throw timeout_error{"the daemon at " + options_.endpoint +
                      " did not answer in time; see `sluice health`"};
}

template <class Answer>
Answer client::ask(messages::QueryKind kind) {
  messages::QueryT query;
  query.correlation = ++correlation_;
  query.kind = kind;
  send<messages::Query>(query);
  return wait_for_answer<Answer>();
}

void client::greet() {
  messages::HelloT hello;
  hello.protocol = hello.oldest_protocol = protocol_version;
  hello.name = options_.name;
  hello.lease_ms = options_.lease_ms;
  send<messages::Hello>(hello);
  try {
    daemon_ = wait_for_answer<messages::HelloT>();
  } catch (const timeout_error&) {
    throw no_daemon{"no daemon answers at " + options_.endpoint +
                    "; start sluiced or pass another --endpoint"};
  }
  if (daemon_.oldest_protocol > protocol_version ||
      daemon_.protocol < protocol_version)
    throw protocol_error{"the daemon speaks protocol " +
                         std::to_string(daemon_.protocol) +
                         ", this client 1; upgrade the older of the two"};
  transport_.connect_streams(daemon_.stream_endpoint);
}

void client::receive(milliseconds timeout) {
  transport_.receive(timeout, [this](transport::bytes b) { dispatch(b); });
}

void client::sweep() {
  const auto now = clock::now();
  if (now - swept_ < sweep_interval)
    return;
  swept_ = now;
  renew_lease();
  std::vector<messages::request_id> ids;
  ids.reserve(requests_.size());
  for (const auto& [id, request] : requests_)
    ids.push_back(id);
  for (const auto& id : ids)
    sweep_one(id, requests_.at(id));
}

void client::sweep_one(const messages::request_id& id, request& request) {
  if (request.track.owed(swept_) > options_.dead_after &&
      swept_ - heard_ > options_.dead_after)
    throw no_daemon{"the daemon at " + options_.endpoint +
                    " stopped answering; see its log and start it again"};
  switch (request.track.due(swept_)) {
  case request_track::action::submit:
    if (refusal_ && request.track.submissions() > most_submissions)
      return end(id, failure{refusal_->code, refusal_->text});
    sent_ = swept_;
    transport_.send(request.frame.bytes());
    return;
  case request_track::action::replay: {
    messages::ReplayT message;
    message.id = std::make_unique<messages::RequestId>(id.to_wire());
    message.tenant = options_.tenant;
    message.from_seq = request.stream.next_seq();
    return send<messages::Replay>(message);
  }
  case request_track::action::none:
    return;
  }
}

void client::renew_lease() {
  const auto granted = milliseconds{daemon_.lease_ms};
  if (options_.lease_ms == 0 || granted.count() == 0 ||
      swept_ - sent_ < granted / 3)
    return;
  messages::LeaseT lease;
  lease.lease_ms = daemon_.lease_ms;
  send<messages::Lease>(lease);
}

} // namespace sluice::client

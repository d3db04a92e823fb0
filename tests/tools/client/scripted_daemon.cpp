// SPDX-License-Identifier: Apache-2.0
#include "tests/tools/client/scripted_daemon.hpp"

#include <utility>

namespace sluice::client::test {
namespace {

constexpr auto stream_endpoint = "inproc://scripted-streams";

std::unique_ptr<messages::RequestId> copy(const messages::RequestId* id) {
  return std::make_unique<messages::RequestId>(*id);
}

} // namespace

scripted_daemon::scripted_daemon(script script) : script_{std::move(script)} {
  control_.set(zmq::sockopt::linger, 0); // before bind: connections take it
  streams_.set(zmq::sockopt::linger, 0); // from there
  control_.bind(endpoint);
  streams_.bind(stream_endpoint);
  thread_ = std::thread{[this] { run(); }};
}

scripted_daemon::~scripted_daemon() {
  stop_ = true;
  thread_.join();
}

void scripted_daemon::run() {
  while (!stop_) {
    zmq::pollitem_t items[] = {{control_.handle(), 0, ZMQ_POLLIN, 0},
                               {streams_.handle(), 0, ZMQ_POLLIN, 0}};
    zmq::poll(items, 2, std::chrono::milliseconds{5});
    zmq::message_t sender;
    zmq::message_t part;
    while (streams_.recv(part, zmq::recv_flags::dontwait))
      ; // subscriptions
    while (control_.recv(sender, zmq::recv_flags::dontwait) &&
           control_.recv(part, zmq::recv_flags::dontwait))
      serve(sender, part);
  }
}

void scripted_daemon::serve(const zmq::message_t& sender,
                            const zmq::message_t& part) {
  using namespace messages;
  const std::span bytes{part.data<std::byte>(), part.size()};
  const auto handle = [&]<class T>(auto function) {
    if (!is_frame_of<T>(bytes))
      return;
    const auto parsed = parse_frame<T>(bytes, {});
    function(*std::get<frame<T>>(parsed));
  };
  handle.operator()<Hello>([&](auto&) { greet(sender); });
  if (!script_.answers)
    return;
  handle.operator()<Submit>([&](auto& what) { take(sender, what); });
  handle.operator()<Replay>([&](auto& what) { replay(sender, what); });
  handle.operator()<Query>([&](auto& what) { answer(sender, what); });
  handle.operator()<Cancel>([&](auto& what) {
    CancelledT reply_frame;
    reply_frame.id = copy(what.id());
    reply_frame.found = windows_.contains(request_id::from(*what.id()));
    reply<Cancelled>(sender, reply_frame);
  });
}

void scripted_daemon::greet(const zmq::message_t& to) {
  messages::HelloT hello;
  hello.protocol = hello.oldest_protocol = script_.daemon_protocol;
  hello.stream_endpoint = stream_endpoint;
  hello.epoch = 7;
  reply<messages::Hello>(to, hello);
}

void scripted_daemon::take(const zmq::message_t& from,
                           const messages::Submit& submit) {
  if (script_.deaf_submits > 0) {
    --script_.deaf_submits;
    return;
  }
  const auto id = messages::request_id::from(*submit.id());
  if (script_.reject != messages::ErrorCode::none) {
    messages::RejectedT rejected;
    rejected.id = copy(submit.id());
    rejected.code = script_.reject;
    rejected.text = "as scripted";
    rejected.retry_after_ms = 250;
    return reply<messages::Rejected>(from, rejected);
  }
  messages::AcceptedT accepted;
  accepted.id = copy(submit.id());
  reply<messages::Accepted>(from, accepted);
  chunk_maker maker{id};
  auto& window = windows_[id];
  for (std::uint32_t i = 0; i < script_.deltas; ++i)
    window.push_back(maker.delta(std::to_string(i) + " "));
  if (script_.corrupt_end)
    maker.corrupt_checksum();
  window.push_back(maker.finished());
  for (const auto& chunk : window)
    for (int i = 0; i < script_.copies(chunk->seq()); ++i)
      publish(chunk);
}

void scripted_daemon::replay(const zmq::message_t& to,
                             const messages::Replay& what) {
  if (script_.deaf_replays > 0) {
    --script_.deaf_replays;
    return;
  }
  const auto& window = windows_.at(messages::request_id::from(*what.id()));
  if (!script_.knows_requests || what.from_seq() < script_.lost_before) {
    messages::GapT gap;
    gap.id = copy(what.id());
    gap.from_seq = what.from_seq();
    gap.to_seq = script_.knows_requests ? script_.lost_before : 0;
    gap.code = messages::ErrorCode::unknown_request;
    return reply<messages::Gap>(to, gap);
  }
  for (auto seq = what.from_seq(); seq < window.size(); ++seq)
    send(to, window[seq].bytes());
  messages::ReplayedT replayed;
  replayed.id = copy(what.id());
  replayed.next_seq = static_cast<std::uint32_t>(window.size());
  replayed.ended = true;
  reply<messages::Replayed>(to, replayed);
}

void scripted_daemon::answer(const zmq::message_t& to,
                             const messages::Query& what) {
  if (what.kind() == messages::QueryKind::health) {
    messages::HealthT stale; // of a question long forgotten
    stale.correlation = what.correlation() - 1;
    stale.state = messages::HealthState::failing;
    reply<messages::Health>(to, stale);
    messages::HealthT health;
    health.correlation = what.correlation();
    health.state = messages::HealthState::ready;
    reply<messages::Health>(to, health);
  }
}

template <class T>
void scripted_daemon::reply(const zmq::message_t& to,
                            const typename T::NativeTableType& what) {
  send(to, messages::pack<T>(what).bytes());
}

void scripted_daemon::send(const zmq::message_t& to,
                           std::span<const std::byte> bytes) {
  control_.send(zmq::const_buffer{to.data(), to.size()},
                zmq::send_flags::sndmore);
  control_.send(zmq::const_buffer{bytes.data(), bytes.size()});
}

void scripted_daemon::publish(const chunk_frame& chunk) {
  const auto topic = messages::request_id::from(*chunk->id()).hex();
  streams_.send(zmq::buffer(topic), zmq::send_flags::sndmore);
  streams_.send(zmq::const_buffer{chunk.bytes().data(), chunk.bytes().size()});
}

} // namespace sluice::client::test

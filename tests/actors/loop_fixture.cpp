// SPDX-License-Identifier: Apache-2.0
#include "tests/actors/loop_fixture.hpp"

#include "actors/metric_names.hpp"
#include "actors/replies.hpp"

namespace sluice::tests {

using namespace actors;
using namespace messages;

void event_queue::push(loop_event event) {
  const std::lock_guard lock{mutex_};
  events_.push_back(std::move(event));
  filled_.notify_one();
}

loop_event event_queue::pop() {
  std::unique_lock lock{mutex_};
  if (!filled_.wait_for(lock, std::chrono::minutes{1},
                        [this] { return !events_.empty(); }))
    throw std::runtime_error{"no event came"};
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<loop_event> event_queue::try_pop() {
  const std::lock_guard lock{mutex_};
  if (events_.empty())
    return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

socket_loop_config placed_in(const std::filesystem::path& directory,
                             socket_loop_config config) {
  const socket_loop_config defaults;
  const auto at = "ipc://" + directory.string();
  if (config.control_endpoint.empty())
    config.control_endpoint = at + "/control.sock";
  if (config.stream_endpoint.empty())
    config.stream_endpoint = at + "/stream.sock";
  if (config.heartbeat_timeout == defaults.heartbeat_timeout)
    config.heartbeat_timeout = std::chrono::minutes{1};
  config.handshake_timeout = std::chrono::minutes{1};
  return config;
}

loop_fixture::loop_fixture(socket_loop_config config, bool hold_credit)
    : loop{placed_in(directory.path(), std::move(config))},
      system_{system_config_} {
  loop.start({.gateway = spawn_gateway(hold_credit),
              .publisher = spawn_publisher(),
              .meter = spawn_meter(),
              .supervisor = spawn_supervisor()});
}

loop_fixture::~loop_fixture() {
  loop.request_stop();
  loop.join();
  for (const auto& actor : spawned_)
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
}

double loop_fixture::dropped() const {
  const std::lock_guard lock{mutex_};
  return dropped_;
}

gateway_actor loop_fixture::spawn_gateway(bool hold_credit) {
  const auto note = [this, hold_credit](const char* kind,
                                        const session_id& from) {
    events.push({kind, from});
    if (!hold_credit)
      loop.credit()->give_back();
  };
  const auto greet = [this, note](const session_id& from) {
    loop.out()->send_control(from, pack_reply<Hello>({}));
    note("hello", from);
  };
  auto handle = system_.spawn([=, this]() -> gateway_actor::behavior_type {
    using sid = session_id;
    return {[=](const sid& from, const actors::frame<Hello>&) { greet(from); },
            [=](const sid& from, const actors::frame<Submit>&) {
              note("submit", from);
            },
            [=](const sid& from, const actors::frame<Cancel>&) {
              note("cancel", from);
            },
            [=](const sid& from, const actors::frame<Replay>&) {
              note("replay", from);
            },
            [=](const sid& from, const actors::frame<Query>&) {
              note("query", from);
            },
            [=](const sid& from, const actors::frame<Lease>&) {
              note("lease", from);
            },
            [=](const sid& from, const actors::frame<Credit>&) {
              note("credit", from);
            },
            [this](vanish_atom, const sid& from) {
              events.push({"vanish", from});
            },
            [](accept_atom, request_number) {},
            [](reject_atom, request_number, ErrorCode, const std::string&,
               std::uint32_t) {},
            [](ended_atom, request_number) {},
            [](expired_atom, request_number) {},
            [](drain_atom) {},
            [](tick_atom) {}};
  });
  spawned_.push_back(caf::actor_cast<caf::actor>(handle));
  return handle;
}

publisher_actor loop_fixture::spawn_publisher() {
  auto handle = system_.spawn([this]() -> publisher_actor::behavior_type {
    return {
        [](open_atom, const gateway_actor&) {},
        [](open_atom, request_number, const actors::frame<Submit>&) {},
        [](open_atom, request_number) { return std::uint32_t{0}; },
        [](reject_atom, request_number) {},
        [](const actors::frame<Tokens>&) {},
        [](failed_atom, request_number, ErrorCode, const std::string&) {},
        [](cancel_atom, request_number, FinishReason) {},
        [](const session_id&, request_number, const actors::frame<Replay>&) {},
        [this](topic_atom, const std::string& topic) {
          events.push({"topic", topic});
          loop.credit()->give_back();
        },
        [](tick_atom) {},
        [](report_atom) { return publisher_report{}; }};
  });
  spawned_.push_back(caf::actor_cast<caf::actor>(handle));
  return handle;
}

meter_actor loop_fixture::spawn_meter() {
  auto handle = system_.spawn([this]() -> meter_actor::behavior_type {
    return {[this](const metric_batch& batch) {
              const std::lock_guard lock{mutex_};
              for (const auto& sample : batch.samples)
                if (std::string_view{sample.name} == metric::dropped_parts)
                  dropped_ += sample.value;
            },
            [](report_atom) { return metric_snapshot{}; }};
  });
  spawned_.push_back(caf::actor_cast<caf::actor>(handle));
  return handle;
}

supervisor_actor loop_fixture::spawn_supervisor() {
  auto handle = system_.spawn([this]() -> supervisor_actor::behavior_type {
    return {[](open_atom, const gateway_actor&, const scheduler_actor&,
               const batcher_actor&) {},
            [](open_atom, const caf::actor_addr&, const std::string&) {},
            [](open_atom, const executor_actor&, const meter_actor&) {},
            [](renew_atom) {},
            [this](drain_atom) {
              events.push({"drain", ""});
            },
            [](tick_atom) {},
            [](report_atom) { return health_report{}; }};
  });
  spawned_.push_back(caf::actor_cast<caf::actor>(handle));
  return handle;
}

// -- clients ------------------------------------------------------------------

test_client::test_client(const std::string& endpoint, zmq::socket_type type)
    : socket_{context_, type} {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.set(zmq::sockopt::rcvtimeo, 60'000);
  socket_.set(zmq::sockopt::reconnect_ivl, 10);
  socket_.connect(endpoint);
}

void test_client::send(std::span<const std::byte> part) {
  socket_.send(zmq::buffer(part.data(), part.size()), zmq::send_flags::none);
}

void test_client::send_text(std::string_view part) {
  socket_.send(zmq::buffer(part), zmq::send_flags::none);
}

std::vector<std::string> test_client::receive() {
  std::vector<std::string> parts;
  zmq::message_t part;
  do {
    if (!socket_.recv(part))
      throw std::runtime_error{"no answer came"};
    parts.push_back(part.to_string());
  } while (part.more());
  return parts;
}

recorded test_client::receive_frame() {
  auto parts = receive();
  if (parts.size() != 1)
    throw std::runtime_error{"more than one part came"};
  auto text = std::make_shared<const std::string>(std::move(parts.front()));
  const auto* first = reinterpret_cast<const std::byte*>(text->data());
  const auto size = text->size();
  return {"", {std::shared_ptr<const std::byte>{std::move(text), first}, size}};
}

messages::frame<Hello> hello_frame() {
  HelloT words;
  words.protocol = 1;
  words.oldest_protocol = 1;
  return pack<Hello>(words);
}

} // namespace sluice::tests

// SPDX-License-Identifier: Apache-2.0
// Socket loop, gateway and publisher together, over ipc; the test plays the
// preparer and the scheduler.
#include <memory>

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include "actors/gateway.hpp"
#include "actors/publisher.hpp"
#include "actors/wake_fd.hpp"
#include "messages/request_id.hpp"
#include "tests/actors/loop_fixture.hpp"
#include "tests/support/printing.hpp"

namespace {

using namespace std::chrono_literals;
using namespace sluice::actors;
using namespace sluice::messages;
using namespace sluice::tests;

const request_id some_id{1, 2};

class edge_fixture {
public:
  edge_fixture() : edge_fixture(socket_loop_config{}) {}

  explicit edge_fixture(socket_loop_config config)
      : loop{placed_in(directory_.path(), std::move(config))} {
    publisher_ = keep(system_.spawn(
        publisher, publisher_config{.resend_interval = 1ms},
        publisher_links{loop.out(), loop.credit(), keep(spawn_meter())}));
    gateway_config settings;
    settings.stream_endpoint = loop.stream_endpoint();
    settings.probe_interval = 20ms;
    gateway_ =
        keep(system_.spawn(gateway, settings,
                           gateway_links{.out = loop.out(),
                                         .credit = loop.credit(),
                                         .publisher = publisher_,
                                         .scheduler = keep(spawn_scheduler()),
                                         .preparers = {keep(spawn_preparer())},
                                         .meter = keep(spawn_meter())}));
    loop.start({.gateway = gateway_, .publisher = publisher_});
  }

  ~edge_fixture() {
    loop.request_stop();
    loop.join();
    for (const auto& actor : kept_)
      caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }

  edge_fixture(const edge_fixture&) = delete;
  edge_fixture& operator=(const edge_fixture&) = delete;

  /// Waits for a request that a client submitted, and accepts it.
  request_number accept_next() {
    const auto request = std::stoull(prepared.pop().from);
    caf::anon_send(gateway_, accept_atom::value, request_number{request});
    return request;
  }

  void publish(request_number request, const std::string& text, bool last) {
    TokensT tokens;
    tokens.deltas.push_back(std::make_unique<TokensOfT>());
    tokens.deltas[0]->request = request;
    tokens.deltas[0]->delta = std::make_unique<DeltaT>();
    tokens.deltas[0]->delta->text = text;
    if (last) {
      tokens.finished.push_back(std::make_unique<FinishedOfT>());
      tokens.finished[0]->request = request;
      tokens.finished[0]->receipt = std::make_unique<ReceiptT>();
    }
    caf::anon_send(publisher_, pack<Tokens>(tokens));
  }

  event_queue prepared;  // from: the request's number
  event_queue cancelled; // kind: the reason; from: the request's number

private:
  template <class Handle>
  Handle keep(Handle handle) {
    kept_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }

  preparer_actor spawn_preparer() {
    return system_.spawn([this]() -> preparer_actor::behavior_type {
      return {
          [this](request_number request, const sluice::actors::frame<Submit>&) {
            prepared.push({"prepared", std::to_string(request)});
          }};
    });
  }

  scheduler_actor spawn_scheduler() {
    return system_.spawn([this]() -> scheduler_actor::behavior_type {
      return {[](open_atom, const gateway_actor&) {},
              [](open_atom, std::uint32_t, const batcher_actor&) {},
              [](const sluice::actors::frame<Prepared>&) {},
              [this](cancel_atom, request_number request, FinishReason why) {
                cancelled.push(
                    {std::string{to_string(why)}, std::to_string(request)});
              },
              [](const sluice::actors::frame<Outcome>&) {},
              [](const sluice::actors::lane_news&) {},
              [](drain_atom) { return true; },
              [](failed_atom, ErrorCode, const std::string&) {},
              [](tick_atom) {},
              [](report_atom) { return scheduler_report{}; }};
    });
  }

  meter_actor spawn_meter() {
    return system_.spawn([]() -> meter_actor::behavior_type {
      return {[](const metric_batch&) {},
              [](report_atom) { return metric_snapshot{}; }};
    });
  }

  sluice::test::temporary_directory directory_;

public:
  socket_loop loop;

private:
  caf::actor_system_config system_config_;
  caf::actor_system system_{system_config_};
  publisher_actor publisher_;
  gateway_actor gateway_;
  std::vector<caf::actor> kept_;
};

sluice::messages::frame<Submit> submission() {
  SubmitT body;
  body.id = std::make_unique<RequestId>(some_id.to_wire());
  body.prompt = "x";
  return pack<Submit>(body);
}

/// The next frame that is no probe.
recorded next_frame(test_client& client) {
  for (;;)
    if (auto frame = client.receive_frame(); !frame.is<Lease>())
      return frame;
}

/// Reads a subscription until the stream's last chunk.
std::vector<std::string> read_stream(test_client& subscriber) {
  std::vector<std::string> chunks; // by seq
  for (;;) {
    const auto parts = subscriber.receive();
    BOOST_REQUIRE(parts.size() == 2u);
    const auto bytes = std::as_bytes(std::span{parts[1]});
    const auto parsed = parse_frame<Chunk>(bytes, {});
    const auto& chunk = std::get<sluice::messages::frame<Chunk>>(parsed);
    if (chunk->seq() != chunks.size())
      continue; // had it: the window was sent again
    chunks.push_back(parts[1]);
    if (const auto* last = chunk->body_as_Finished()) {
      uLong crc = 0;
      for (std::size_t i = 0; i + 1 < chunks.size(); ++i)
        crc = crc32(crc, reinterpret_cast<const Bytef*>(chunks[i].data()),
                    static_cast<uInt>(chunks[i].size()));
      BOOST_TEST(last->chunks() == chunks.size());
      BOOST_TEST(last->checksum() == crc);
      return chunks;
    }
  }
}

BOOST_FIXTURE_TEST_SUITE(edge_suite, edge_fixture)

BOOST_AUTO_TEST_CASE(a_stream_arrives_whole_however_late_one_subscribes) {
  test_client client{loop.control_endpoint()};
  client.send(submission());
  const auto request = accept_next();
  BOOST_TEST(next_frame(client).is<Accepted>());
  const auto subscribe = [this] {
    auto subscriber = std::make_unique<test_client>(loop.stream_endpoint(),
                                                    zmq::socket_type::sub);
    subscriber->socket().set(zmq::sockopt::subscribe, some_id.hex());
    return subscriber;
  };
  const auto early = subscribe();
  for (int i = 0; i < 50; ++i)
    publish(request, std::to_string(i), false);
  const auto amid = subscribe();
  publish(request, "end", true);
  const auto late = subscribe();
  const auto whole = read_stream(*early);
  BOOST_TEST(whole.size() == 52u);
  BOOST_TEST((read_stream(*amid) == whole));
  BOOST_TEST((read_stream(*late) == whole));
  ReplayT what;
  what.id = std::make_unique<RequestId>(some_id.to_wire());
  client.send(pack<Replay>(what));
  for (const auto& chunk : whole) {
    const auto again = next_frame(client);
    const auto* first = reinterpret_cast<const char*>(again.span().data());
    BOOST_TEST((std::string_view{first, again.bytes.size} == chunk));
  }
  BOOST_TEST(next_frame(client).as<Replayed>()->ended());
}

BOOST_AUTO_TEST_CASE(a_client_that_dies_has_its_request_cancelled) {
  request_number request = 0;
  {
    test_client client{loop.control_endpoint()};
    client.send(submission());
    request = accept_next();
    BOOST_TEST(next_frame(client).is<Accepted>());
  }
  const auto event = cancelled.pop();
  BOOST_TEST(event.kind == "disconnected");
  BOOST_TEST(event.from == std::to_string(request));
}

BOOST_AUTO_TEST_SUITE_END()

/// A peer that speaks just enough ZMTP 3.0 to submit, and then hangs: its
/// kernel takes what the daemon sends and nobody answers the heartbeats.
class hanging_peer {
public:
  explicit hanging_peer(const std::string& endpoint)
      : fd_{::socket(AF_UNIX, SOCK_STREAM, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint.substr(6).copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address),
                            sizeof address) == 0);
    write(greeting());
    write(ready());
    read(64); // its greeting, and then its READY
    read(static_cast<unsigned char>(read(2)[1]));
  }

  void send(std::span<const std::byte> part) {
    std::string message{'\2'}; // the last part, with a long length
    for (int shift = 56; shift >= 0; shift -= 8)
      message += static_cast<char>(part.size() >> shift & 0xff);
    message.append(reinterpret_cast<const char*>(part.data()), part.size());
    write(message);
  }

private:
  static std::string greeting() {
    std::string bytes{'\xff'};
    bytes += std::string(8, '\0') + '\x7f' + '\3' + '\0';
    bytes += "NULL";
    return bytes + std::string(64 - bytes.size(), '\0');
  }

  static std::string ready() {
    const std::string name = "Socket-Type";
    const std::string value = "DEALER";
    std::string body = "\5READY";
    body += static_cast<char>(name.size()) + name;
    body += std::string(3, '\0') + static_cast<char>(value.size()) + value;
    return std::string{'\4'} + static_cast<char>(body.size()) + body;
  }

  void write(const std::string& bytes) {
    BOOST_REQUIRE(::write(fd_.get(), bytes.data(), bytes.size()) ==
                  static_cast<ssize_t>(bytes.size()));
  }

  std::string read(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const auto got = ::read(fd_.get(), bytes.data() + done, size - done);
      BOOST_REQUIRE(got > 0);
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  unique_fd fd_;
};

BOOST_AUTO_TEST_SUITE(edge_heartbeat_suite)

BOOST_AUTO_TEST_CASE(a_client_that_hangs_has_its_request_cancelled) {
  edge_fixture world{{.heartbeat = 100ms, .heartbeat_timeout = 1s}};
  hanging_peer client{world.loop.control_endpoint()};
  client.send(submission().bytes());
  const auto request = world.accept_next();
  const auto event = world.cancelled.pop();
  BOOST_TEST(event.kind == "disconnected");
  BOOST_TEST(event.from == std::to_string(request));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace

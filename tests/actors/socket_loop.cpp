// SPDX-License-Identifier: Apache-2.0
#include "actors/socket_loop.hpp"

#include <csignal>
#include <memory>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "actors/endpoint.hpp"
#include "actors/replies.hpp"
#include "actors/signal_watch.hpp"
#include "messages/request_id.hpp"
#include "tests/actors/loop_fixture.hpp"
#include "tests/support/printing.hpp"

namespace {

using namespace sluice::actors;
using namespace sluice::messages;
using namespace sluice::tests;

const request_id some_id{1, 2};

RefusedT refused_by(test_client& client) {
  return client.receive_frame().as<Refused>().unpack();
}

/// True if the daemon still answers this client.
bool is_served(loop_fixture& world, test_client& client) {
  client.send(hello_frame());
  return world.events.pop().kind == "hello" &&
         client.receive_frame().is<Hello>();
}

BOOST_AUTO_TEST_SUITE(socket_loop_suite)

// -- the way in and out -------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_frame_reaches_the_gateway_and_its_answer_the_client) {
  loop_fixture world;
  test_client a{world.loop.control_endpoint()};
  test_client b{world.loop.control_endpoint()};
  BOOST_TEST(is_served(world, a));
  BOOST_TEST(is_served(world, b));
}

BOOST_AUTO_TEST_CASE(every_kind_of_client_frame_is_delivered_as_what_it_is) {
  loop_fixture world;
  test_client client{world.loop.control_endpoint()};
  SubmitT submit;
  submit.id = std::make_unique<RequestId>(some_id.to_wire());
  submit.prompt = "x";
  client.send(pack<Submit>(submit));
  BOOST_TEST(world.events.pop().kind == "submit");
  CancelT cancel;
  cancel.id = std::make_unique<RequestId>(some_id.to_wire());
  client.send(pack<Cancel>(cancel));
  BOOST_TEST(world.events.pop().kind == "cancel");
  ReplayT replay;
  replay.id = std::make_unique<RequestId>(some_id.to_wire());
  client.send(pack<Replay>(replay));
  BOOST_TEST(world.events.pop().kind == "replay");
  client.send(pack<Query>({}));
  BOOST_TEST(world.events.pop().kind == "query");
  client.send(pack<Lease>({}));
  BOOST_TEST(world.events.pop().kind == "lease");
  CreditT credit;
  credit.id = std::make_unique<RequestId>(some_id.to_wire());
  client.send(pack<Credit>(credit));
  BOOST_TEST(world.events.pop().kind == "credit");
}

BOOST_AUTO_TEST_CASE(subscribers_get_topic_and_chunk) {
  loop_fixture world;
  test_client subscriber{world.loop.stream_endpoint(), zmq::socket_type::sub};
  subscriber.socket().set(zmq::sockopt::subscribe, some_id.hex());
  BOOST_TEST(world.events.pop().from == some_id.hex());
  const auto frame = hello_frame();
  BOOST_TEST(
      world.loop.out()->publish(request_id{9, 9}.hex(), outgoing::from(frame)));
  BOOST_TEST(world.loop.out()->publish(some_id.hex(), outgoing::from(frame)));
  const auto parts = subscriber.receive();
  BOOST_TEST(parts.size() == 2u);
  BOOST_TEST(parts.at(0) == some_id.hex());
  BOOST_TEST(parts.at(1).size() == frame.bytes().size());
}

BOOST_AUTO_TEST_CASE(a_second_subscriber_of_a_topic_is_seen_too) {
  loop_fixture world;
  for (int i = 0; i < 3; ++i) {
    test_client subscriber{world.loop.stream_endpoint(), zmq::socket_type::sub};
    subscriber.socket().set(zmq::sockopt::subscribe, some_id.hex());
    BOOST_TEST(world.events.pop().kind == "topic");
  }
}

BOOST_AUTO_TEST_CASE(what_is_in_the_outbox_at_the_end_still_goes_out) {
  test_client* client = nullptr;
  {
    loop_fixture world;
    client = new test_client{world.loop.control_endpoint()};
    client->send(hello_frame());
    const auto session = world.events.pop().from;
    for (int i = 0; i < 100; ++i)
      world.loop.out()->send_control(session, outgoing::from(hello_frame()));
  }
  const std::unique_ptr<test_client> owner{client};
  for (int i = 0; i < 101; ++i)
    BOOST_TEST(client->receive_frame().is<Hello>());
}

BOOST_AUTO_TEST_CASE(clients_in_the_process_use_the_loops_context) {
  loop_fixture world{{.control_endpoint = "inproc://control",
                      .stream_endpoint = "inproc://stream"}};
  void* socket = ::zmq_socket(world.loop.native_context(), ZMQ_DEALER);
  const int timeout_ms = 60'000;
  ::zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
  BOOST_TEST(::zmq_connect(socket, "inproc://control") == 0);
  const auto frame = hello_frame();
  BOOST_TEST(::zmq_send(socket, frame.bytes().data(), frame.bytes().size(), 0) >
             0);
  char answer[256];
  BOOST_TEST(::zmq_recv(socket, answer, sizeof answer, 0) > 0);
  ::zmq_close(socket);
}

// -- hostile input ------------------------------------------------------------

BOOST_AUTO_TEST_CASE(parts_that_are_no_frames_are_refused_one_by_one) {
  loop_fixture world;
  test_client client{world.loop.control_endpoint()};
  const auto answer_of_ours = refused_reply(ErrorCode::internal, "mine");
  const std::string parts[] = {
      "",
      "x",
      "1234567",
      "12345678",
      std::string(8, '\0'),
      "\4\0\0\0HEL1",
      "\xff\xff\xff\xffSUB1",
      std::string(1 << 20, '\0'),
      std::string(1 << 20, '\xff'),
      "GET / HTTP/1.1\r\n\r\n",
      std::string{reinterpret_cast<const char*>(answer_of_ours.data.get()),
                  answer_of_ours.size},
  };
  for (const auto& part : parts) {
    client.send_text(part);
    const auto refused = refused_by(client);
    BOOST_TEST(refused.code == ErrorCode::malformed_frame);
    BOOST_TEST(!refused.text.empty());
  }
  BOOST_TEST(!world.events.try_pop().has_value());
  BOOST_TEST(is_served(world, client));
}

template <class T>
void send_truncated(loop_fixture& world, test_client& client,
                    const T& message) {
  const auto whole = pack<typename T::TableType>(message);
  for (std::size_t size = 0; size < whole.bytes().size(); ++size) {
    client.send(whole.bytes().first(size));
    const auto answer = client.receive_frame();
    BOOST_TEST((answer.is<Refused>() || answer.is<Rejected>()));
  }
  BOOST_TEST(!world.events.try_pop().has_value());
}

BOOST_AUTO_TEST_CASE(frames_cut_at_every_byte_are_refused) {
  loop_fixture world;
  test_client client{world.loop.control_endpoint()};
  HelloT hello;
  hello.name = "client";
  send_truncated(world, client, hello);
  SubmitT submit;
  submit.id = std::make_unique<RequestId>(some_id.to_wire());
  submit.prompt = "three bolts";
  submit.stopping = std::make_unique<StopRulesT>();
  submit.stopping->stop = {"\n"};
  send_truncated(world, client, submit);
  CancelT cancel;
  cancel.id = std::make_unique<RequestId>(some_id.to_wire());
  send_truncated(world, client, cancel);
  ReplayT replay;
  replay.id = std::make_unique<RequestId>(some_id.to_wire());
  replay.from_seq = 3;
  send_truncated(world, client, replay);
  QueryT query;
  query.correlation = 5;
  send_truncated(world, client, query);
  LeaseT lease;
  lease.lease_ms = 1000;
  send_truncated(world, client, lease);
  BOOST_TEST(is_served(world, client));
}

BOOST_AUTO_TEST_CASE(a_bad_submit_with_an_id_is_rejected_by_its_id) {
  loop_fixture world;
  test_client client{world.loop.control_endpoint()};
  SubmitT submit;
  submit.id = std::make_unique<RequestId>(some_id.to_wire());
  submit.prompt = "x";
  submit.n = 1'000'000;
  client.send(pack<Submit>(submit));
  const auto rejected = client.receive_frame().as<Rejected>();
  BOOST_TEST(rejected->id()->low() == some_id.low);
  BOOST_TEST(rejected->code() == ErrorCode::invalid_argument);
}

BOOST_AUTO_TEST_CASE(messages_of_many_parts_are_refused_once) {
  loop_fixture world;
  test_client client{world.loop.control_endpoint()};
  const auto frame = hello_frame();
  for (const int more : {1, 2, 10'000}) {
    for (int i = 0; i < more; ++i)
      client.socket().send(
          zmq::buffer(frame.bytes().data(), frame.bytes().size()),
          zmq::send_flags::sndmore);
    client.send(frame);
    BOOST_TEST(refused_by(client).code == ErrorCode::malformed_frame);
    BOOST_TEST(is_served(world, client)); // and nothing is left of it
  }
}

BOOST_AUTO_TEST_CASE(a_huge_part_costs_its_sender_the_connection) {
  loop_fixture world{{.limits = {.max_frame_bytes = 64u << 10}}};
  test_client other{world.loop.control_endpoint()};
  test_client client{world.loop.control_endpoint()};
  BOOST_TEST(is_served(world, client));
  client.send_text(std::string(64u << 10, 'x')); // the largest that is read
  BOOST_TEST(refused_by(client).code == ErrorCode::malformed_frame);
  client.send_text(std::string((64u << 10) + 1, 'x'));
  BOOST_TEST(is_served(world, other));
  test_client next{world.loop.control_endpoint()};
  BOOST_TEST(is_served(world, next));
}

BOOST_AUTO_TEST_CASE(rubbish_on_the_stream_socket_is_passed_over) {
  loop_fixture world;
  test_client peer{world.loop.stream_endpoint(), zmq::socket_type::xsub};
  for (const std::string& part :
       {std::string{}, std::string{"\1"}, std::string{"\1short"},
        "\1" + std::string(33, '0'), "\1" + std::string(32, 'g'),
        "\0" + some_id.hex(), std::string(200, '\1'), std::string{"\2"}})
    peer.send_text(part);
  peer.socket().send(zmq::str_buffer("\1"), zmq::send_flags::sndmore);
  peer.send_text(some_id.hex());
  peer.send_text("\1" + some_id.hex());
  BOOST_TEST(world.events.pop().from == some_id.hex());
  BOOST_TEST(!world.events.try_pop().has_value());
}

// -- bounds -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(without_credit_nothing_more_is_read) {
  constexpr std::uint32_t limit = 4;
  constexpr int frames = 50;
  loop_fixture world{{.inflight_frames = limit}, true};
  test_client client{world.loop.control_endpoint()};
  for (int i = 0; i < frames; ++i)
    client.send(pack<Lease>({}));
  for (int i = 0; i < frames; ++i) {
    BOOST_TEST(world.events.pop().kind == "lease");
    BOOST_TEST(world.loop.credit()->in_use() <= limit);
    world.loop.credit()->give_back();
  }
  BOOST_TEST(world.loop.credit()->in_use() == 0u);
}

BOOST_AUTO_TEST_CASE(a_client_that_never_reads_harms_itself_alone) {
  loop_fixture world{{.peer_messages = 8}};
  test_client slow{world.loop.control_endpoint()};
  slow.socket().set(zmq::sockopt::rcvhwm, 1);
  slow.send(pack<Lease>({}));
  const auto session = world.events.pop().from;
  test_client other{world.loop.control_endpoint()};
  const std::string text(100'000, 'x');
  const auto large = refused_reply(ErrorCode::internal, text);
  while (world.dropped() == 0) {
    for (int i = 0; i < 100; ++i)
      world.loop.out()->send_control(session, large);
    BOOST_TEST(is_served(world, other));
  }
}

// -- clients that vanish ------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_closed_connection_is_found_by_the_next_probe) {
  loop_fixture world;
  std::string session;
  {
    test_client client{world.loop.control_endpoint()};
    client.send(hello_frame());
    session = world.events.pop().from;
    BOOST_TEST(client.receive_frame().is<Hello>());
  }
  std::optional<loop_event> event;
  while (!event) {
    world.loop.out()->send_control(session, pack_reply<Lease>({}));
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    event = world.events.try_pop();
  }
  BOOST_TEST(event->kind == "vanish");
  BOOST_TEST(event->from == session);
}

// -- signals ------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_signal_drains_the_daemon) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  {
    const auto watch = watch_signals({SIGTERM});
    loop_fixture world{{.signal_fd = watch.get()}};
    ::kill(::getpid(), SIGTERM);
    BOOST_TEST(world.events.pop().kind == "drain");
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// -- endpoints ----------------------------------------------------------------

std::string failure_of(const socket_loop_config& config) {
  try {
    socket_loop loop{config};
    return "";
  } catch (const endpoint_error& error) {
    return error.what();
  }
}

BOOST_AUTO_TEST_CASE(a_second_daemon_is_told_what_to_do) {
  loop_fixture world;
  const auto text = failure_of(placed_in(world.directory.path(), {}));
  BOOST_TEST(text.find("another daemon serves") != std::string::npos);
  BOOST_TEST(text.find("daemon.run_dir") != std::string::npos);
  BOOST_TEST(text.find('\n') == std::string::npos);
  test_client client{world.loop.control_endpoint()};
  BOOST_TEST(is_served(world, client)); // the first one is not disturbed
}

BOOST_AUTO_TEST_CASE(sockets_are_for_their_user_alone) {
  loop_fixture world;
  for (const auto* name : {"control.sock", "stream.sock"}) {
    struct stat info {};
    const auto path = world.directory.path() / name;
    BOOST_TEST(::stat(path.c_str(), &info) == 0);
    BOOST_TEST(S_ISSOCK(info.st_mode));
    BOOST_TEST((info.st_mode & 077) == 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace

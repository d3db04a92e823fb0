// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include <zmq.hpp>

#include "tests/tools/client/chunk_maker.hpp"

namespace sluice::client::test {

/// How a scripted daemon answers; the default is a good daemon.
struct script {
  std::uint32_t deltas = 5;  // of every stream, before its end
  unsigned deaf_submits = 0; // so many are not heard
  unsigned deaf_replays = 0;
  bool answers = true;           // anything after Hello
  bool knows_requests = true;    // false: a replay finds nothing
  std::uint32_t lost_before = 0; // chunks that left the window
  std::uint32_t daemon_protocol = 1;
  messages::ErrorCode reject = messages::ErrorCode::none;
  bool corrupt_end = false;
  /// How often chunk `seq` is published: 0 loses it.
  std::function<int(std::uint32_t seq)> copies = [](std::uint32_t) {
    return 1;
  };
};

/// A daemon's two sockets in a thread of this process, acting by a script.
class scripted_daemon {
public:
  explicit scripted_daemon(script script);
  ~scripted_daemon();

  static constexpr auto endpoint = "inproc://scripted-control";
  void* context() { return context_.handle(); }

private:
  void run();
  void serve(const zmq::message_t& sender, const zmq::message_t& part);
  void greet(const zmq::message_t& to);
  void take(const zmq::message_t& from, const messages::Submit& submit);
  void replay(const zmq::message_t& to, const messages::Replay& what);
  void answer(const zmq::message_t& to, const messages::Query& what);

  template <class T>
  void reply(const zmq::message_t& to, const typename T::NativeTableType& what);
  void send(const zmq::message_t& to, std::span<const std::byte> bytes);
  void publish(const chunk_frame& chunk);

  script script_;
  zmq::context_t context_;
  zmq::socket_t control_{context_, ZMQ_ROUTER};
  zmq::socket_t streams_{context_, ZMQ_XPUB};
  std::unordered_map<messages::request_id, std::vector<chunk_frame>> windows_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

} // namespace sluice::client::test

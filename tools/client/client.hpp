// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "messages/frame.hpp"
#include "tools/client/events.hpp"
#include "tools/client/request_track.hpp"
#include "tools/client/stream_assembler.hpp"
#include "tools/client/transport.hpp"

namespace sluice::client {

struct client_options {
  std::string endpoint; // of the control socket
  std::string name = "sluice";
  std::string tenant;         // of every request and question
  void* context = nullptr;    // ZeroMQ context to share; needed for inproc
  std::uint32_t lease_ms = 0; // ask for an application lease; 0: none
  std::chrono::milliseconds answer_timeout{5'000}; // of every question
  std::chrono::milliseconds dead_after{15'000};    // a daemon that owes answers
  sluice::client::patience patience;               // with each request
};

/// Many requests over one connection: submit, then poll() for their events.
/// Lost chunks are replayed, repeats dropped, order, count and checksum
/// checked inside; each request ends in exactly one `finished` or `failure`.
/// @note one thread; nothing happens outside its calls.
class client {
public:
  /// Connects and exchanges Hello.
  /// @throws no_daemon, protocol_error (no common version).
  explicit client(client_options options);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// What the daemon said of itself.
  const messages::HelloT& daemon() const noexcept { return daemon_; }

  /// Sends a request; an absent id is chosen at random, the tenant set.
  /// @throws bad_request if the daemon could only refuse it.
  messages::request_id submit(messages::SubmitT request);

  /// Asks to end a request of this client; its stream ends with `finished`
  /// (reason cancelled) soon.
  void cancel(const messages::request_id& id);

  /// Waits at most @p timeout for events, and returns all that are there.
  /// @throws no_daemon if the daemon owed answers for `dead_after`.
  std::vector<event> poll(std::chrono::milliseconds timeout);

  /// Requests that have not ended.
  std::size_t open() const noexcept { return requests_.size(); }

  // Questions: each waits for its answer; events meanwhile are kept for
  // poll(). They throw timeout_error, and protocol_error if refused.

  messages::HealthT health();
  messages::StatsT stats();
  messages::ModelsT models();

  /// Ends any request of the tenant, also of another client.
  /// @return whether the daemon knew it.
  bool cancel_and_wait(const messages::request_id& id);

private:
  struct request {
    messages::frame<messages::Submit> frame; // to submit again
    request_track track;
    stream_assembler stream;
  };
  using request_map = std::unordered_map<messages::request_id, request>;
  using answer =
      std::variant<std::monostate, messages::HelloT, messages::HealthT,
                   messages::StatsT, messages::ModelsT, messages::CancelledT,
                   messages::RefusedT>;

  template <class T>
  void send(const typename T::NativeTableType& message);
  template <class Answer>
  Answer wait_for_answer();
  template <class Answer>
  Answer ask(messages::QueryKind kind);

  void greet();
  void receive(std::chrono::milliseconds timeout);
  void dispatch(transport::bytes bytes);
  template <class T, class Handler>
  bool handle(transport::bytes bytes, Handler handler);
  template <class T>
  void keep_answer(const messages::frame<T>& frame);
  request* find(const messages::RequestId* id);
  bool is_ours(const flatbuffers::String* tenant) const;

  void take(chunk_frame chunk);
  void take(const messages::Accepted& accepted);
  void take(const messages::Rejected& rejected);
  void take(const messages::Replayed& replayed);
  void take(const messages::Gap& gap);
  void take(const messages::Refused& refused);

  void release(const messages::request_id& id, request& request);
  void end(const messages::request_id& id, std::variant<finished, failure> how);
  void sweep();
  void sweep_one(const messages::request_id& id, request& request);
  void renew_lease();

  client_options options_;
  transport transport_;
  messages::HelloT daemon_;
  request_map requests_;
  std::vector<event> events_;
  answer answer_;                             // to the question being asked
  std::uint64_t correlation_ = 0;             // of the last question
  std::optional<messages::RefusedT> refusal_; // the last one
  instant swept_{};
  instant sent_{};
  instant heard_{};
};

} // namespace sluice::client

// SPDX-License-Identifier: Apache-2.0
#include "tools/client/transport.hpp"

#include <cstdint>

#include <sys/stat.h>

#include <zmq.hpp>

#include "tools/client/events.hpp"

namespace sluice::client {
namespace {

constexpr std::int64_t largest_message_bytes = 64 << 20;
constexpr int most_at_once = 512; // messages of one socket in one receive
constexpr std::string_view ipc_scheme = "ipc://";

/// ZeroMQ would wait for a missing ipc file for ever; say so at once.
void check_ipc_file(const std::string& endpoint) {
  if (!endpoint.starts_with(ipc_scheme))
    return;
  const auto path = endpoint.substr(ipc_scheme.size());
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0)
    throw no_daemon{"no daemon at " + endpoint +
                    "; start sluiced or pass another --endpoint"};
  if (!S_ISSOCK(found.st_mode))
    throw no_daemon{path + " is not a socket; pass another --endpoint"};
}

struct socket_closer {
  void operator()(void* handle) const noexcept { zmq_close(handle); }
};

/// A socket in a context that may belong to somebody else, which
/// zmq::socket_t cannot express.
class owned_socket {
public:
  owned_socket(void* context, int type) : handle_{zmq_socket(context, type)} {
    if (!handle_)
      throw zmq::error_t{};
  }

  zmq::socket_ref get() const noexcept {
    return {zmq::from_handle, handle_.get()};
  }

private:
  std::unique_ptr<void, socket_closer> handle_;
};

void set_options(zmq::socket_ref socket) {
  using namespace zmq::sockopt;
  socket.set(linger, 500);
  socket.set(maxmsgsize, largest_message_bytes);
  socket.set(handshake_ivl, 3'000);
  socket.set(heartbeat_ivl, 1'000);
  socket.set(heartbeat_timeout, 3'000);
  socket.set(heartbeat_ttl, 3'000);
  socket.set(reconnect_ivl, 100);
  socket.set(reconnect_ivl_max, 2'000);
  socket.set(ipv6, true);
  socket.set(sndhwm, 10'000);
  socket.set(rcvhwm, 100'000);
}

void connect(zmq::socket_ref socket, const std::string& endpoint) {
  check_ipc_file(endpoint);
  try {
    socket.connect(endpoint);
  } catch (const zmq::error_t& error) {
    throw no_daemon{"cannot connect to '" + endpoint + "': " + error.what() +
                    "; an endpoint looks like ipc:///run/sluice/name or "
                    "tcp://127.0.0.1:5555"};
  }
}

/// Hands the last part of up to `most_at_once` messages to @p take: a stream's
/// topic comes before it, control messages have one part.
void drain(zmq::socket_ref socket, const transport::handler& take) {
  for (int i = 0; i < most_at_once; ++i) {
    zmq::message_t part;
    if (!socket.recv(part, zmq::recv_flags::dontwait))
      return;
    while (part.more())
      if (!socket.recv(part, zmq::recv_flags::dontwait))
        return;
    take({part.data<std::byte>(), part.size()});
  }
}

} // namespace

class transport::impl {
public:
  impl(const std::string& endpoint, void* shared)
      : own_{shared ? nullptr : std::make_unique<zmq::context_t>(1)},
        control_{shared ? shared : own_->handle(), ZMQ_DEALER},
        streams_{shared ? shared : own_->handle(), ZMQ_SUB} {
    set_options(control_.get());
    set_options(streams_.get());
    connect(control_.get(), endpoint);
  }

  zmq::socket_ref control() const { return control_.get(); }
  zmq::socket_ref streams() const { return streams_.get(); }

private:
  std::unique_ptr<zmq::context_t> own_;
  owned_socket control_;
  owned_socket streams_;
};

std::string zeromq_version() {
  const auto [major, minor, patch] = zmq::version();
  return std::to_string(major) + "." + std::to_string(minor) + "." +
         std::to_string(patch);
}

transport::transport(const std::string& endpoint, void* context)
    : impl_{std::make_unique<impl>(endpoint, context)} {}

transport::~transport() = default;

void transport::connect_streams(const std::string& endpoint) {
  connect(impl_->streams(), endpoint);
}

bool transport::send(bytes frame) {
  const zmq::const_buffer part{frame.data(), frame.size()};
  return impl_->control().send(part, zmq::send_flags::dontwait).has_value();
}

void transport::subscribe(const std::string& topic) {
  impl_->streams().set(zmq::sockopt::subscribe, topic);
}

void transport::unsubscribe(const std::string& topic) {
  impl_->streams().set(zmq::sockopt::unsubscribe, topic);
}

void transport::receive(std::chrono::milliseconds timeout,
                        const handler& take) {
  zmq::pollitem_t items[] = {
      {impl_->control().handle(), 0, ZMQ_POLLIN, 0},
      {impl_->streams().handle(), 0, ZMQ_POLLIN, 0},
  };
  try {
    zmq::poll(items, 2, timeout);
  } catch (const zmq::error_t& error) {
    if (error.num() == EINTR) // a signal: its handler said what to do
      return;
    throw;
  }
  if (items[0].revents & ZMQ_POLLIN)
    drain(impl_->control(), take);
  if (items[1].revents & ZMQ_POLLIN)
    drain(impl_->streams(), take);
}

} // namespace sluice::client

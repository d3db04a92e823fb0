// SPDX-License-Identifier: Apache-2.0
#include "actors/socket_loop.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <thread>
#include <unordered_set>
#include <utility>

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <zmq.hpp>

#include "actors/bounded_outbox.hpp"
#include "actors/control_inbox.hpp"
#include "actors/endpoint.hpp"
#include "actors/metric_names.hpp"
#include "actors/replies.hpp"
#include "actors/signal_watch.hpp"
#include "messages/request_id.hpp"

namespace sluice::actors {
namespace {

using namespace messages;
namespace option = zmq::sockopt;

constexpr int messages_a_pass = 64;  // read before replies are sent again
constexpr int receive_backlog = 256; // unread messages of one client
constexpr int largest_subscription_bytes = 256;
constexpr std::chrono::milliseconds report_interval{1'000};

int in_ms(std::chrono::milliseconds duration) {
  return static_cast<int>(duration.count());
}

// Signals are for the thread that asked for them.
void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

// Sockets are files: only this user may connect.
class private_umask {
public:
  private_umask() : before_{::umask(0077)} {}
  ~private_umask() { ::umask(before_); }
  private_umask(const private_umask&) = delete;
  private_umask& operator=(const private_umask&) = delete;

private:
  mode_t before_;
};

void set_common_options(zmq::socket_t& socket,
                        const socket_loop_config& config) {
  socket.set(option::linger, in_ms(config.linger));
  socket.set(option::handshake_ivl, in_ms(config.handshake_timeout));
  socket.set(option::heartbeat_ivl, in_ms(config.heartbeat));
  socket.set(option::heartbeat_timeout, in_ms(config.heartbeat_timeout));
  socket.set(option::heartbeat_ttl, in_ms(config.heartbeat_timeout));
  socket.set(option::sndhwm, static_cast<int>(config.peer_messages));
  socket.set(option::rcvhwm, receive_backlog);
  socket.set(option::ipv6, true);
}

zmq::socket_t control_socket(zmq::context_t& context,
                             const socket_loop_config& config) {
  zmq::socket_t socket{context, zmq::socket_type::router};
  set_common_options(socket, config);
  socket.set(option::maxmsgsize,
             static_cast<std::int64_t>(config.limits.max_frame_bytes));
  socket.set(option::router_mandatory, true);
  socket.set(option::router_handover, false);
  return socket;
}

zmq::socket_t stream_socket(zmq::context_t& context,
                            const socket_loop_config& config) {
  zmq::socket_t socket{context, zmq::socket_type::xpub};
  set_common_options(socket, config);
  socket.set(option::maxmsgsize, std::int64_t{largest_subscription_bytes});
  socket.set(option::xpub_verbose, true);
  return socket;
}

std::string bind(zmq::socket_t& socket, const endpoint_claim& claim) {
  const private_umask only_us;
  try {
    socket.bind(claim.endpoint());
  } catch (const zmq::error_t& error) {
    throw endpoint_error{"cannot bind " + claim.endpoint() + ": " +
                         error.what() + "; choose another endpoint"};
  }
  return socket.get(option::last_endpoint);
}

std::span<const std::byte> bytes_of(const zmq::message_t& part) {
  return {static_cast<const std::byte*>(part.data()), part.size()};
}

// An interrupted wait is as good as a short one.
void poll(zmq::pollitem_t* items, std::size_t count) {
  try {
    zmq::poll(items, count, report_interval);
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR)
      throw;
  }
}

// Takes the rest of a message away; returns how many parts that were.
std::size_t drain_parts(zmq::socket_t& socket, const zmq::message_t& last) {
  std::size_t count = 0;
  bool more = last.more();
  while (more) {
    zmq::message_t part;
    if (!socket.recv(part, zmq::recv_flags::dontwait))
      break;
    ++count;
    more = part.more();
  }
  return count;
}

} // namespace

class socket_loop::impl {
public:
  explicit impl(socket_loop_config config);
  ~impl() { stop_and_join(); }

  void start(socket_loop_targets targets);
  void request_stop() noexcept;
  void join();

  std::shared_ptr<bounded_outbox> out;
  std::shared_ptr<frame_credit> credit;
  std::string control_endpoint;
  std::string stream_endpoint;
  zmq::context_t context;

private:
  enum class delivery : std::uint8_t { sent, slow, gone };

  void stop_and_join();
  void run();
  void wait();
  void read_control();
  bool read_one_control();
  void read_subscriptions();
  bool read_one_subscription();
  void read_signals();
  void send_waiting();
  void send_one(const out_message& message,
                std::unordered_set<session_id>& gone);
  delivery send_parts(zmq::socket_t& socket, const out_message& message);
  void report_counts();

  struct counts {
    double frames = 0;
    double refused = 0;
    double slow = 0; // control frames that a client's full queue did not take
  };

  socket_loop_config config_;
  endpoint_claim control_claim_;
  endpoint_claim stream_claim_;
  std::shared_ptr<wake_fd> wake_ = std::make_shared<wake_fd>();
  zmq::socket_t control_;
  zmq::socket_t streams_;
  control_inbox inbox_;
  socket_loop_targets targets_;
  counts counts_;
  std::chrono::steady_clock::time_point next_report_{};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

socket_loop::impl::impl(socket_loop_config config)
    : context{1}, config_{std::move(config)},
      control_claim_{config_.control_endpoint},
      stream_claim_{config_.stream_endpoint}, control_{control_socket(context,
                                                                      config_)},
      streams_{stream_socket(context, config_)}, inbox_{config_.limits, {}} {
  const auto wake = [fd = wake_] { fd->signal(); };
  credit = std::make_shared<frame_credit>(config_.inflight_frames, wake);
  out = std::make_shared<bounded_outbox>(
      outbox_limits{config_.outbox_messages, config_.outbox_bytes}, wake);
  inbox_ = control_inbox{config_.limits, credit};
  control_endpoint = bind(control_, control_claim_);
  stream_endpoint = bind(streams_, stream_claim_);
}

void socket_loop::impl::start(socket_loop_targets targets) {
  targets_ = std::move(targets);
  inbox_.deliver_to(targets_.gateway);
  thread_ = std::thread{[this] { run(); }};
}

void socket_loop::impl::request_stop() noexcept {
  stopping_ = true;
  wake_->signal();
}

void socket_loop::impl::join() {
  if (thread_.joinable())
    thread_.join();
}

void socket_loop::impl::stop_and_join() {
  request_stop();
  join();
}

// -- the loop -----------------------------------------------------------------

void socket_loop::impl::run() {
  block_all_signals();
  try {
    while (!stopping_) {
      wait();
      read_signals();
      read_control();
      read_subscriptions();
      send_waiting();
      report_counts();
    }
    send_waiting();
  } catch (const std::exception& error) {
    if (targets_.on_failure)
      targets_.on_failure(error.what());
  }
  inbox_.deliver_to({});
  targets_ = {}; // lets go of the actors
}

// Without credit the sockets are not read: clients wait in ZeroMQ's queues.
void socket_loop::impl::wait() {
  std::array<zmq::pollitem_t, 4> items{{
      {nullptr, wake_->get(), ZMQ_POLLIN, 0},
      {nullptr, config_.signal_fd, ZMQ_POLLIN, 0},
      {control_.handle(), 0, ZMQ_POLLIN, 0},
      {streams_.handle(), 0, ZMQ_POLLIN, 0},
  }};
  const bool signals = config_.signal_fd >= 0;
  if (!signals)
    items[1] = items[0];
  poll(items.data(), credit->available() ? 4 : 2);
  wake_->drain();
}

void socket_loop::impl::read_signals() {
  if (config_.signal_fd < 0)
    return;
  while (const int signal = next_signal(config_.signal_fd))
    if ((signal == SIGTERM || signal == SIGINT) && targets_.supervisor)
      caf::anon_send(targets_.supervisor, drain_atom::value);
}

// -- from clients -------------------------------------------------------------

void socket_loop::impl::read_control() {
  for (int i = 0; i < messages_a_pass && credit->available(); ++i)
    if (!read_one_control())
      return;
  wake_->signal(); // there may be more
}

bool socket_loop::impl::read_one_control() {
  zmq::message_t identity;
  zmq::message_t part;
  if (!control_.recv(identity, zmq::recv_flags::dontwait))
    return false;
  if (!identity.more() || !control_.recv(part, zmq::recv_flags::dontwait))
    return true;
  const session_id from{identity.to_string()};
  ++counts_.frames;
  std::optional<outgoing> answer;
  if (drain_parts(control_, part) > 0)
    answer = refused_reply(ErrorCode::malformed_frame,
                           "The message has more than one part. Send each "
                           "frame as a single part from a DEALER socket.");
  else
    answer = inbox_.take(from, bytes_of(part));
  if (answer) {
    ++counts_.refused;
    out->send_control(from, std::move(*answer));
  }
  return true;
}

void socket_loop::impl::read_subscriptions() {
  for (int i = 0; i < messages_a_pass && credit->available(); ++i)
    if (!read_one_subscription())
      return;
  wake_->signal(); // there may be more
}

// A subscription is a byte 1 and the topic; whole topics of requests count.
bool socket_loop::impl::read_one_subscription() {
  zmq::message_t part;
  if (!streams_.recv(part, zmq::recv_flags::dontwait))
    return false;
  const bool single = drain_parts(streams_, part) == 0;
  const auto words = part.to_string_view();
  if (!single || words.empty() || words.front() != '\1' || !targets_.publisher)
    return true;
  if (const auto id = request_id::parse(words.substr(1))) {
    credit->take();
    caf::anon_send(targets_.publisher, topic_atom::value, id->hex());
  }
  return true;
}

// -- to clients ---------------------------------------------------------------

void socket_loop::impl::send_waiting() {
  std::unordered_set<session_id> gone;
  for (const auto& message : out->take_all())
    send_one(message, gone);
  if (targets_.gateway)
    for (const auto& session : gone)
      caf::anon_send(targets_.gateway, vanish_atom::value, session);
}

void socket_loop::impl::send_one(const out_message& message,
                                 std::unordered_set<session_id>& gone) {
  if (message.socket == out_socket::stream) {
    send_parts(streams_, message); // XPUB drops for slow subscribers itself
    return;
  }
  if (gone.contains(message.address))
    return;
  switch (send_parts(control_, message)) {
  case delivery::sent:
    break;
  case delivery::slow:
    ++counts_.slow;
    break;
  case delivery::gone:
    gone.insert(message.address);
    break;
  }
}

// ROUTER decides at the first part: a peer that is gone or whose queue is full
// is known before anything is sent.
socket_loop::impl::delivery
socket_loop::impl::send_parts(zmq::socket_t& socket,
                              const out_message& message) {
  using zmq::send_flags;
  try {
    const auto first = socket.send(zmq::buffer(message.address),
                                   send_flags::sndmore | send_flags::dontwait);
    if (!first)
      return delivery::slow;
    socket.send(zmq::buffer(message.bytes.data.get(), message.bytes.size),
                send_flags::dontwait);
    return delivery::sent;
  } catch (const zmq::error_t& error) {
    if (error.num() == EHOSTUNREACH)
      return delivery::gone;
    throw;
  }
}

// -- counts -------------------------------------------------------------------

void socket_loop::impl::report_counts() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_report_ || !targets_.meter)
    return;
  next_report_ = now + report_interval;
  const auto drops = out->take_drops();
  metric_batch batch;
  const auto add = [&batch](const char* name, double value,
                            const char* labels = "") {
    if (value > 0)
      batch.samples.push_back({name, metric_kind::counter, value, labels});
  };
  add(metric::frames_in, counts_.frames);
  add(metric::refused_frames, counts_.refused);
  add(metric::dropped_parts, counts_.slow, R"(reason="slow_client")");
  add(metric::dropped_parts, static_cast<double>(drops.control),
      R"(reason="outbox_full",socket="control")");
  add(metric::dropped_parts, static_cast<double>(drops.stream),
      R"(reason="outbox_full",socket="stream")");
  counts_ = {};
  if (!batch.samples.empty())
    caf::anon_send(targets_.meter, std::move(batch));
}

// -- the handle ---------------------------------------------------------------

socket_loop::socket_loop(socket_loop_config config)
    : impl_{std::make_unique<impl>(std::move(config))} {}

socket_loop::~socket_loop() = default;

void socket_loop::start(socket_loop_targets targets) {
  impl_->start(std::move(targets));
}

void socket_loop::request_stop() noexcept {
  impl_->request_stop();
}

void socket_loop::join() {
  impl_->join();
}

std::shared_ptr<outbox> socket_loop::out() const {
  return impl_->out;
}

std::shared_ptr<frame_credit> socket_loop::credit() const {
  return impl_->credit;
}

const std::string& socket_loop::control_endpoint() const noexcept {
  return impl_->control_endpoint;
}

const std::string& socket_loop::stream_endpoint() const noexcept {
  return impl_->stream_endpoint;
}

void* socket_loop::native_context() noexcept {
  return impl_->context.handle();
}

} // namespace sluice::actors

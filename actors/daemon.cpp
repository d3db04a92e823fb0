// SPDX-License-Identifier: Apache-2.0
#include "actors/daemon.hpp"

#include <csignal>
#include <future>
#include <mutex>
#include <optional>

#include <caf/all.hpp>
#include <spdlog/spdlog.h>

#include "actors/batcher.hpp"
#include "actors/endpoint.hpp"
#include "actors/executor.hpp"
#include "actors/gateway.hpp"
#include "actors/kv_page_manager.hpp"
#include "actors/lane_setup.hpp"
#include "actors/meter.hpp"
#include "actors/metric_names.hpp"
#include "actors/preparer.hpp"
#include "actors/publisher.hpp"
#include "actors/scheduler.hpp"
#include "actors/signal_watch.hpp"
#include "actors/socket_loop.hpp"
#include "actors/supervisor.hpp"
#include "messages/request_id.hpp"
#include "model/tokenizer/tokenizer.hpp"

namespace sluice::actors {
namespace {

constexpr std::size_t preparers = 2;

caf::actor_system_config& configured(caf::actor_system_config& config) {
  // Measured: `sharing` with two threads idles at a fifth of the default's
  // processor time and halves the time of a chain of actors.
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", std::size_t{2});
  return config;
}

} // namespace

class daemon::impl {
public:
  impl(config::config configuration, daemon_hooks hooks)
      : configuration_{std::move(configuration)}, hooks_{std::move(hooks)} {}

  ~impl() {
    stop_actors();
    if (sockets_) {
      sockets_->request_stop();
      sockets_->join();
    }
  }

  void start();
  int wait();
  void request_stop();

  const socket_loop& sockets() const { return *sockets_; }
  socket_loop& sockets() { return *sockets_; }
  const lane_setup& lane() const { return *lane_; }

private:
  void bind_sockets();
  std::string endpoint(const std::string& configured,
                       std::string_view purpose) const;
  void spawn_actors();
  void spawn_lane(lane_setup& lane);
  gateway_config gateway_settings() const;
  publisher_config publisher_settings() const;
  supervisor_config supervisor_settings();
  void watch_all();
  void stop_actors();
  void end(end_of_life how);

  config::config configuration_;
  daemon_hooks hooks_;
  const std::uint64_t epoch_ = messages::request_id::random().low;
  unique_fd signals_;
  std::unique_ptr<socket_loop> sockets_;
  std::optional<lane_setup> lane_;

  std::once_flag ended_once_;
  std::promise<end_of_life> ended_;
  std::future<end_of_life> end_ = ended_.get_future();

  caf::actor_system_config system_config_;
  std::unique_ptr<caf::actor_system> system_;
  supervisor_actor supervisor_;
  meter_actor meter_;
  publisher_actor publisher_;
  scheduler_actor scheduler_;
  kv_page_manager_actor pages_;
  executor_actor executor_;
  batcher_actor batcher_;
  std::vector<preparer_actor> preparers_;
  gateway_actor gateway_;
};

// -- start
// ----------------------------------------------------------------------

void daemon::impl::start() {
  bind_sockets(); // first: a second daemon fails before it loads anything
  lane_ =
      load_lane(configuration_, {.progress = hooks_.progress}, hooks_.device);
  spawn_actors();
  sockets_->start({.gateway = gateway_,
                   .publisher = publisher_,
                   .meter = meter_,
                   .supervisor = supervisor_,
                   .on_failure = [this](const char* why) {
                     end({1, std::string{"the socket loop failed: "} + why});
                   }});
  spdlog::info("serving {} on {} ({}, {} KV pages of {} tokens)",
               lane_->profile.model, sockets_->control_endpoint(),
               lane_->facts.isa, lane_->facts.kv_pages,
               lane_->facts.page_tokens);
}

std::string daemon::impl::endpoint(const std::string& configured,
                                   std::string_view purpose) const {
  if (!configured.empty())
    return configured;
  const auto& section = configuration_.daemon;
  return ipc_endpoint(section.run_dir.empty()
                          ? default_run_dir()
                          : std::filesystem::path{section.run_dir},
                      section.name, purpose);
}

void daemon::impl::bind_sockets() {
  const auto& limits = configuration_.limits;
  const auto& clients = configuration_.clients;
  if (hooks_.handle_signals)
    signals_ = watch_signals({SIGTERM, SIGINT});
  sockets_ = std::make_unique<socket_loop>(socket_loop_config{
      .control_endpoint =
          endpoint(configuration_.daemon.control_endpoint, "control"),
      .stream_endpoint =
          endpoint(configuration_.daemon.stream_endpoint, "stream"),
      .limits = frame_limits_of(configuration_),
      .inflight_frames = limits.inflight_frames,
      .outbox_messages = limits.outbox_messages,
      .outbox_bytes = limits.outbox_bytes,
      .peer_messages = limits.peer_messages,
      .heartbeat = clients.heartbeat,
      .heartbeat_timeout = clients.heartbeat_timeout,
      .handshake_timeout = clients.handshake_timeout,
      .signal_fd = signals_.get()});
}

void daemon::impl::spawn_actors() {
  system_ = std::make_unique<caf::actor_system>(configured(system_config_));
  supervisor_ = system_->spawn(supervisor, supervisor_settings());
  meter_ = system_->spawn(meter);
  metric_batch zeros;
  for (const auto* name : metric::counters)
    zeros.samples.push_back({name, metric_kind::counter, 0, {}});
  caf::anon_send(meter_, std::move(zeros));
  publisher_ = system_->spawn(
      publisher, publisher_settings(),
      publisher_links{sockets_->out(), sockets_->credit(), meter_});
  scheduler_ =
      system_->spawn(scheduler, capacity_of(configuration_, lane_->facts),
                     scheduler_neighbours{publisher_, meter_});
  spawn_lane(*lane_);
  for (std::size_t i = 0; i < preparers; ++i)
    preparers_.push_back(system_->spawn(
        preparer, std::vector<lane_profile>{lane_->profile}, scheduler_));
  gateway_ = system_->spawn(gateway, gateway_settings(),
                            gateway_links{sockets_->out(), sockets_->credit(),
                                          publisher_, scheduler_, preparers_,
                                          meter_, supervisor_});
  caf::anon_send(scheduler_, open_atom::value, gateway_);
  caf::anon_send(supervisor_, open_atom::value, gateway_, scheduler_, batcher_);
  caf::anon_send(supervisor_, open_atom::value, executor_, meter_);
  watch_all();
}

void daemon::impl::spawn_lane(lane_setup& lane) {
  pages_ = system_->spawn(kv_page_manager, pages_of(configuration_, lane));
  executor_ = system_->spawn<caf::detached>(executor, std::move(lane.device));
  batcher_ = system_->spawn(
      batcher,
      batcher_config{.lane = lane.lane,
                     .model = lane.profile.model,
                     .text = lane.profile.text,
                     .limits = limits_of(configuration_, lane.facts),
                     .preemption = preemption_of(lane.facts)},
      batcher_neighbours{pages_, executor_, publisher_, scheduler_, meter_});
  caf::anon_send(executor_, open_atom::value, lane.lane, batcher_);
  caf::anon_send(scheduler_, open_atom::value, lane.lane, batcher_);
  const auto pool = static_cast<double>(lane.facts.kv_pages);
  caf::anon_send(
      meter_,
      metric_batch{{{metric::kv_pages_pool, metric_kind::gauge, pool, {}},
                    {metric::kv_pages_free, metric_kind::gauge, pool, {}}}});
}

void daemon::impl::watch_all() {
  const auto watch = [this](const auto& who, std::string role) {
    caf::anon_send(supervisor_, open_atom::value, who.address(),
                   std::move(role));
  };
  watch(meter_, "meter");
  watch(publisher_, "publisher");
  watch(scheduler_, "scheduler");
  watch(pages_, "kv_page_manager");
  watch(executor_, "executor");
  watch(batcher_, "batcher");
  for (const auto& each : preparers_)
    watch(each, "preparer");
  watch(gateway_, "gateway");
}

// -- settings
// -------------------------------------------------------------------

gateway_config daemon::impl::gateway_settings() const {
  gateway_config settings;
  settings.epoch = epoch_;
  settings.version = SLUICE_VERSION;
  settings.name = configuration_.daemon.name;
  settings.stream_endpoint = sockets_->stream_endpoint();
  settings.models = {info_of(*lane_)};
  settings.sessions = configuration_.limits.sessions;
  settings.requests_per_client = configuration_.limits.requests_per_client;
  settings.preparing = configuration_.limits.queue;
  settings.probe_interval = configuration_.clients.probe_interval;
  settings.lease_max = configuration_.clients.lease_max;
  return settings;
}

publisher_config daemon::impl::publisher_settings() const {
  const auto& limits = configuration_.limits;
  publisher_config settings;
  settings.epoch = epoch_;
  settings.window_chunks = limits.window_chunks;
  settings.window_bytes = limits.window_bytes;
  settings.windows_bytes = limits.windows_bytes;
  settings.linger = limits.window_linger;
  settings.resend_interval = limits.resend_interval;
  return settings;
}

supervisor_config daemon::impl::supervisor_settings() {
  supervisor_config settings;
  settings.drain_timeout = configuration_.clients.drain_timeout;
  settings.on_end = [this](end_of_life how) { end(std::move(how)); };
  settings.on_health = hooks_.health;
  return settings;
}

// -- end
// ------------------------------------------------------------------------

void daemon::impl::end(end_of_life how) {
  std::call_once(ended_once_, [&] { ended_.set_value(std::move(how)); });
}

int daemon::impl::wait() {
  const auto how = end_.get();
  if (how.exit_code != 0)
    spdlog::critical("{}", how.text);
  stop_actors();
  sockets_->request_stop(); // sends what the outbox still holds
  sockets_->join();
  return how.exit_code;
}

void daemon::impl::request_stop() {
  if (supervisor_)
    caf::anon_send(supervisor_, drain_atom::value);
  else
    end({0, ""});
}

// Handles form cycles, so everyone is told to leave before they are dropped.
void daemon::impl::stop_actors() {
  if (!system_)
    return;
  const auto leave = [](auto& who) {
    if (who)
      caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    who = nullptr;
  };
  leave(supervisor_);
  leave(gateway_);
  for (auto& each : preparers_)
    leave(each);
  preparers_.clear();
  leave(scheduler_);
  leave(batcher_);
  leave(executor_);
  leave(pages_);
  leave(publisher_);
  leave(meter_);
  system_.reset(); // waits for all of them
}

// -- the face
// -------------------------------------------------------------------

daemon::daemon(config::config configuration, daemon_hooks hooks)
    : impl_{
          std::make_unique<impl>(std::move(configuration), std::move(hooks))} {}

daemon::~daemon() = default;

void daemon::start() {
  impl_->start();
}
int daemon::wait() {
  return impl_->wait();
}
void daemon::request_stop() {
  impl_->request_stop();
}

const std::string& daemon::control_endpoint() const {
  return impl_->sockets().control_endpoint();
}
const std::string& daemon::stream_endpoint() const {
  return impl_->sockets().stream_endpoint();
}
std::uint32_t daemon::context_tokens() const {
  return impl_->lane().facts.context;
}
std::string daemon::isa() const {
  return impl_->lane().facts.isa;
}

void* daemon::native_context() {
  return impl_->sockets().native_context();
}

} // namespace sluice::actors

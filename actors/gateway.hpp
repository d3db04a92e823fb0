// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/frame_credit.hpp"
#include "actors/interfaces.hpp"
#include "actors/outbox.hpp"
#include "actors/policy/request_registry.hpp"
#include "actors/policy/session_table.hpp"

namespace sluice::actors {

struct gateway_config {
  std::uint64_t epoch = 0; // of this daemon's life; in Hello and Accepted
  std::string version;
  std::string name = "sluice";
  std::string stream_endpoint;              // as bound; in Hello
  std::vector<messages::ModelInfoT> models; // the first is the default
  std::uint32_t sessions = 4096;            // clients known at once
  std::uint32_t requests_per_client = 256;  // open at once
  std::uint32_t preparing = 4096; // requests that the scheduler has not seen
  std::uint32_t retry_after_ms = 500; // suggested when something is full
  std::chrono::milliseconds probe_interval{500};
  std::chrono::milliseconds idle_probe_interval{30'000};
  std::chrono::milliseconds lease_max{3'600'000};
  std::chrono::milliseconds report_timeout{2'000}; // for Stats and Health
};

/// Whom the gateway talks to.
struct gateway_links {
  std::shared_ptr<outbox> out;
  std::shared_ptr<frame_credit> credit;
  publisher_actor publisher;
  scheduler_actor scheduler;
  std::vector<preparer_actor> preparers; // taken in turn
  meter_actor meter;
  supervisor_actor supervisor;
};

/// Speaks with clients: versions, idempotent submission, cancellation, replay,
/// leases. Who owns what is decided in policy::request_registry and
/// policy::session_table; this class asks them and sends.
class gateway_state {
public:
  static constexpr const char* name = "gateway";

  explicit gateway_state(gateway_actor::pointer self);

  void start(gateway_config config, gateway_links links);

  // -- from clients, each by way of serve() -----------------------------------
  void hello(const session_id& from, const frame<messages::Hello>& words);
  void submit(const session_id& from, const frame<messages::Submit>& request);
  void cancel(const session_id& from, const frame<messages::Cancel>& what);
  void replay(const session_id& from, const frame<messages::Replay>& what);
  void query(const session_id& from, const frame<messages::Query>& question);
  void lease(const session_id& from, const frame<messages::Lease>& renewal);
  void credit(const session_id& from, const frame<messages::Credit>& grant);

  /// What is common to all frames of clients: the session is known from here,
  /// the credit goes back, and if the handler throws the client is told.
  template <class T>
  void serve(const session_id& from, const frame<T>& message,
             void (gateway_state::*handler)(const session_id&,
                                            const frame<T>&));

  // -- from the daemon --------------------------------------------------------
  void vanish(session_id session);
  void accept(request_number request);
  void reject(request_number request, messages::ErrorCode code,
              std::string text, std::uint32_t retry_after_ms);
  void ended(request_number request);
  void expired(request_number request);
  void drain();
  void tick();

private:
  policy::instant now() const;
  void send(const session_id& to, outgoing bytes);
  template <class T>
  void tell_broken(const session_id& to, const T& message, std::string text);
  void turn_away(const session_id& to, const messages::RequestId& id,
                 messages::ErrorCode code, std::string_view detail = {});

  void take_in(const session_id& from, policy::request_key key,
               policy::body_hash body, const frame<messages::Submit>& request);
  void attach(const session_id& from, policy::request_record& known);
  bool change_owner(policy::request_record& record, const session_id& to);
  void answer_attached(const session_id& to,
                       const policy::request_record& record);
  messages::ErrorCode obstacle(const session_id& from) const;
  void end(policy::request_record& record, messages::FinishReason reason);
  void forget(request_number request);

  void answer_health(const session_id& to, std::uint64_t correlation);
  void answer_stats(const session_id& to, std::uint64_t correlation);
  void answer_models(const session_id& to, std::uint64_t correlation);
  void count(const char* metric, metric_kind kind, double value,
             std::string labels = {});

  gateway_actor::pointer self_;
  gateway_config config_;
  gateway_links links_;
  policy::request_registry requests_;
  policy::session_table sessions_{{}};
  std::size_t next_preparer_ = 0;
  bool draining_ = false;
};

gateway_actor::behavior_type
gateway(gateway_actor::stateful_pointer<gateway_state> self,
        gateway_config config, gateway_links links);

} // namespace sluice::actors

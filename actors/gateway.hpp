// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
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

  // -- from clients -----------------------------------------------------------
  void hello(session_id from, frame<messages::Hello> words);
  void submit(session_id from, frame<messages::Submit> request);
  void cancel(session_id from, frame<messages::Cancel> what);
  void replay(session_id from, frame<messages::Replay> what);
  void query(session_id from, frame<messages::Query> question);
  void lease(session_id from, frame<messages::Lease> renewal);
  void credit(session_id from, frame<messages::Credit> grant);

  // -- from the daemon --------------------------------------------------------
  void vanish(session_id session);
  void accept(request_number request);
  void reject(request_number request, messages::ErrorCode code,
              std::string text, std::uint32_t retry_after_ms);
  void ended(request_number request);
  void expired(request_number request);
  void drain();
  void tick();

  /// A handler threw: the client that it served is told.
  void broken(const char* text);

private:
  class serving;

  template <class T>
  void reply(const session_id& to, const typename T::NativeTableType& message);
  void refuse(const session_id& to, messages::ErrorCode code,
              std::string_view detail);
  void reject_submit(const session_id& to, const messages::RequestId& id,
                     policy::turn_away reason);
  policy::instant now() const;

  void attach(const session_id& from, policy::request_record& known);
  std::optional<policy::turn_away> obstacle(const session_id& from) const;
  void admit(const session_id& from, policy::request_key key,
             policy::body_hash body, const frame<messages::Submit>& request);
  void send_accepted(const policy::request_record& record,
                     std::uint32_t next_seq);
  void end(policy::request_record& record, messages::FinishReason reason);
  void forget(const policy::request_record& record);
  void answer_health(const session_id& to, std::uint64_t correlation);
  void answer_stats(const session_id& to, std::uint64_t correlation);
  void answer_models(const session_id& to, std::uint64_t correlation);
  void count(const char* metric, std::string labels = {});

  gateway_actor::pointer self_;
  gateway_config config_;
  gateway_links links_;
  policy::request_registry requests_;
  policy::session_table sessions_;
  std::size_t next_preparer_ = 0;
  bool draining_ = false;
  session_id serving_; // whom the running handler answers; empty: nobody
  request_number submitting_ = 0; // the request being taken in; 0: none
};

gateway_actor::behavior_type
gateway(gateway_actor::stateful_pointer<gateway_state> self,
        gateway_config config, gateway_links links);

} // namespace sluice::actors

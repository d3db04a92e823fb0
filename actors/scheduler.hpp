// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/policy/admission.hpp"

namespace sluice::actors {

struct scheduler_neighbours {
  publisher_actor publisher;
  meter_actor meter;
};

/// Request states, the queue, deadlines. Who may run is decided by
/// policy::admission; this class asks it and sends.
class scheduler_state {
public:
  static constexpr const char* name = "scheduler";

  explicit scheduler_state(scheduler_actor::pointer self);

  void configure(policy::lane_capacity capacity,
                 scheduler_neighbours neighbours);

  void meet_gateway(gateway_actor gateway);
  void bind(std::uint32_t lane, batcher_actor batcher);
  void prepared(frame<messages::Prepared> request);
  void cancel(request_number request, messages::FinishReason reason);
  void outcome(frame<messages::Outcome> outcome);
  void news(const lane_news& news);
  caf::typed_response_promise<bool> drain();
  void fail_all(messages::ErrorCode code, std::string text);
  void tick();
  scheduler_report report();

  /// A handler threw: the request at hand is refused or failed.
  void broken(const char* text);

private:
  policy::instant now() const;

  void take(const frame<messages::Prepared>& request);
  void refuse(request_number request, messages::ErrorCode code,
              const std::string& text, std::uint32_t retry_after_ms = 0);
  void start_ready();
  void stop_running(request_number request, messages::FinishReason reason,
                    messages::ErrorCode code);
  void forget(request_number request);
  bool cancelled_early(request_number request);
  void expire(const policy::expiry& due);
  void arm_timer();
  void decided();

  scheduler_actor::pointer self_;
  scheduler_neighbours to_;
  gateway_actor gateway_;
  batcher_actor batcher_;
  policy::admission admission_{{}};
  std::unordered_map<request_number, frame<messages::Prepared>> works_;
  std::unordered_set<request_number> stopping_;
  /// Cancelled while still with a preparer; bounded, oldest first.
  std::deque<std::pair<request_number, messages::FinishReason>> early_;
  std::vector<caf::typed_response_promise<bool>> drained_;
  bool draining_ = false;
  std::optional<policy::instant> timer_;
  std::optional<request_number> concerned_;
  policy::instant last_decision_{};
};

scheduler_actor::behavior_type
scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
          policy::lane_capacity capacity, scheduler_neighbours neighbours);

} // namespace sluice::actors

// SPDX-License-Identifier: Apache-2.0
#include "tests/actors/edge_neighbours.hpp"

namespace sluice::tests {

using namespace actors;
using namespace messages;

publisher_actor spawn_publisher(caf::actor_system& system,
                                edge_journal& journal) {
  return system.spawn([&journal]() -> publisher_actor::behavior_type {
    return {
        [](open_atom, const gateway_actor&) {},
        [&journal](open_atom, request_number request,
                   const actors::frame<Submit>& submitted) {
          journal.opened.push_back({request, submitted});
        },
        [&journal](open_atom, request_number) { return journal.stream_length; },
        [&journal](reject_atom, request_number request) {
          journal.discarded.push_back(request);
        },
        [](const actors::frame<Tokens>&) {},
        [](failed_atom, request_number, ErrorCode, const std::string&) {},
        [](cancel_atom, request_number, FinishReason) {},
        [&journal](const session_id& to, request_number request,
                   const actors::frame<Replay>& what) {
          journal.replays.push_back({to, request, what->from_seq()});
        },
        [](topic_atom, const std::string&) {},
        [](tick_atom) {},
        [](report_atom) { return publisher_report{}; }};
  });
}

preparer_actor spawn_preparer(caf::actor_system& system,
                              edge_journal& journal) {
  return system.spawn([&journal]() -> preparer_actor::behavior_type {
    return {[&journal](request_number request, const actors::frame<Submit>&) {
      journal.prepared.push_back(request);
    }};
  });
}

scheduler_actor spawn_scheduler(caf::actor_system& system,
                                edge_journal& journal) {
  return system.spawn([&journal]() -> scheduler_actor::behavior_type {
    return {
        [](open_atom, const gateway_actor&) {},
        [](open_atom, std::uint32_t, const batcher_actor&) {},
        [](const actors::frame<Prepared>&) {},
        [&journal](cancel_atom, request_number request, FinishReason reason) {
          journal.cancelled.push_back({request, reason});
        },
        [](const actors::frame<Outcome>&) {},
        [](const actors::lane_news&) {},
        [](drain_atom) { return true; },
        [](failed_atom, ErrorCode, const std::string&) {},
        [](tick_atom) {},
        [](report_atom) { return scheduler_report{}; }};
  });
}

gateway_actor spawn_gateway(caf::actor_system& system, edge_journal& journal) {
  return system.spawn([&journal]() -> gateway_actor::behavior_type {
    return {[](const session_id&, const actors::frame<Hello>&) {},
            [](const session_id&, const actors::frame<Submit>&) {},
            [](const session_id&, const actors::frame<Cancel>&) {},
            [](const session_id&, const actors::frame<Replay>&) {},
            [](const session_id&, const actors::frame<Query>&) {},
            [](const session_id&, const actors::frame<Lease>&) {},
            [](const session_id&, const actors::frame<Credit>&) {},
            [](vanish_atom, const session_id&) {},
            [](accept_atom, request_number) {},
            [](reject_atom, request_number, ErrorCode, const std::string&,
               std::uint32_t) {},
            [&journal](ended_atom, request_number request) {
              journal.ended.push_back(request);
            },
            [&journal](expired_atom, request_number request) {
              journal.expired.push_back(request);
            },
            [](drain_atom) {},
            [](tick_atom) {}};
  });
}

meter_actor spawn_meter(caf::actor_system& system, edge_journal& journal) {
  return system.spawn([&journal]() -> meter_actor::behavior_type {
    return {[&journal](const metric_batch& batch) {
              journal.samples.insert(journal.samples.end(),
                                     batch.samples.begin(),
                                     batch.samples.end());
            },
            [](report_atom) {
              return metric_snapshot{{{"sluice_chunks_total", "", 42.0}}};
            }};
  });
}

supervisor_actor spawn_supervisor(caf::actor_system& system,
                                  health_report answer) {
  return system.spawn([answer]() -> supervisor_actor::behavior_type {
    return {[](open_atom, const gateway_actor&, const scheduler_actor&,
               const batcher_actor&) {},
            [](open_atom, const caf::actor_addr&, const std::string&) {},
            [](open_atom, const executor_actor&, const meter_actor&) {},
            [](renew_atom) {},
            [](drain_atom) {},
            [](tick_atom) {},
            [answer](report_atom) { return answer; }};
  });
}

} // namespace sluice::tests

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "actors/interfaces.hpp"

// Neighbours of the edge's actors that write down what they are sent.
namespace sluice::tests {

struct edge_journal {
  struct opened_stream {
    actors::request_number request;
    messages::frame<messages::Submit> submitted;
  };
  struct asked_replay {
    actors::session_id to;
    actors::request_number request;
    std::uint32_t from_seq;
  };
  struct cancelled_request {
    actors::request_number request;
    messages::FinishReason reason;
  };

  // by the publisher
  std::vector<opened_stream> opened;
  std::vector<actors::request_number> discarded;
  std::vector<asked_replay> replays;
  std::uint32_t stream_length = 0; // what it answers
  // by the preparer
  std::vector<actors::request_number> prepared;
  // by the scheduler
  std::vector<cancelled_request> cancelled;
  // by the gateway
  std::vector<actors::request_number> ended;
  std::vector<actors::request_number> expired;
  // by the meter
  std::vector<actors::metric_sample> samples;

  double total(const std::string& metric) const {
    double sum = 0;
    for (const auto& sample : samples)
      if (sample.name == metric)
        sum += sample.value;
    return sum;
  }
};

actors::publisher_actor spawn_publisher(caf::actor_system&, edge_journal&);
actors::preparer_actor spawn_preparer(caf::actor_system&, edge_journal&);
actors::scheduler_actor spawn_scheduler(caf::actor_system&, edge_journal&);
actors::gateway_actor spawn_gateway(caf::actor_system&, edge_journal&);
actors::meter_actor spawn_meter(caf::actor_system&, edge_journal&);
actors::supervisor_actor spawn_supervisor(caf::actor_system&,
                                          actors::health_report answer);

} // namespace sluice::tests

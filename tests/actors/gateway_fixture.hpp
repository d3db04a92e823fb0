// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "actors/gateway.hpp"
#include "tests/actors/edge_neighbours.hpp"
#include "tests/actors/recording_outbox.hpp"
#include "tests/support/actor_fixture.hpp"

namespace sluice::tests {

inline messages::RequestId wire_id(std::uint64_t low) {
  return {7, low};
}

template <class T>
messages::frame<T> about(std::uint64_t low) {
  typename T::NativeTableType message;
  message.id = std::make_unique<messages::RequestId>(wire_id(low));
  message.tenant = "acme";
  return messages::pack<T>(message);
}

inline messages::SubmitT submission(std::uint64_t low) {
  messages::SubmitT body;
  body.id = std::make_unique<messages::RequestId>(wire_id(low));
  body.tenant = "acme";
  body.prompt = "three bolts at 1.20";
  return body;
}

/// A gateway among neighbours that write down what they are sent.
struct gateway_fixture : actor_fixture {
  gateway_fixture() : gateway_fixture(settings()) {}

  explicit gateway_fixture(actors::gateway_config config) {
    auto links = actors::gateway_links{
        .out = out,
        .credit = credit,
        .publisher = keep(spawn_publisher(system, journal)),
        .scheduler = keep(spawn_scheduler(system, journal)),
        .preparers = {keep(spawn_preparer(system, journal))},
        .meter = keep(spawn_meter(system, journal)),
        .supervisor = keep(spawn_supervisor(
            system, {.state = messages::HealthState::ready, .running = 3}))};
    gateway = keep(
        system.spawn(actors::gateway, std::move(config), std::move(links)));
    run();
  }

  static actors::gateway_config settings() {
    actors::gateway_config config;
    config.epoch = 99;
    config.version = "1.2.3";
    config.stream_endpoint = "ipc:///somewhere";
    config.requests_per_client = 3;
    config.models.emplace_back();
    config.models.back().name = "pebble";
    return config;
  }

  /// A client's frame, as the socket loop hands it over.
  template <class T>
  void from(const std::string& session, messages::frame<T> message) {
    credit->take();
    self->send(gateway, session, std::move(message));
    run();
  }

  template <class... Args>
  void tell(Args&&... args) {
    self->send(gateway, std::forward<Args>(args)...);
    run();
  }

  void submit(const std::string& session, const messages::SubmitT& body) {
    from(session, messages::pack<messages::Submit>(body));
  }

  /// Submits and has the scheduler accept.
  actors::request_number
  open(const std::string& session, std::uint64_t low,
       messages::OnDisconnect policy = messages::OnDisconnect::cancel) {
    auto body = submission(low);
    body.on_disconnect = policy;
    submit(session, body);
    const auto request = journal.prepared.back();
    tell(actors::accept_atom::value, request);
    out->take_control();
    return request;
  }

  std::shared_ptr<recording_outbox> out = std::make_shared<recording_outbox>();
  std::shared_ptr<actors::frame_credit> credit =
      std::make_shared<actors::frame_credit>(8);
  edge_journal journal;
  actors::gateway_actor gateway;
};

} // namespace sluice::tests
